%% The process that beam-restart.erl makes fail.
-module('beam-victim').
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2]).

start_link(Bench) -> gen_server:start_link({local, victim}, ?MODULE, Bench, []).

init(Bench) ->
    Bench ! {up, self()},
    {ok, Bench}.

handle_call(_, _, Bench) -> {reply, ok, Bench}.

handle_cast(fail, Bench) ->
    Bench ! {faulted, erlang:monotonic_time(nanosecond)},
    error(told_to_fail);
handle_cast(next, Bench) ->
    Bench ! {ready, erlang:monotonic_time(nanosecond)},
    {noreply, Bench}.
