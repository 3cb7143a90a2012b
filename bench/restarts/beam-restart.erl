%% Erlang's side of the restart bench: a gen_server under a supervisor, one_for_one, that is told to fail. It
%% writes one line of JSON, in milliseconds of the machine's monotonic clock.
%%
%% As a process of ours its mailbox would be kept; Erlang's goes with it, so what is next is sent to the new one,
%% by its name, as soon as there is one. Who detects the end is the supervisor; the monitor of a bystander,
%% which is told at the same time, says when.
-module('beam-restart').
-behaviour(supervisor).
-export([main/1]).
-export([init/1]).

main([Rounds]) ->
    logger:set_primary_config(level, none),
    Count = list_to_integer(Rounds),
    {ok, Supervisor} = supervisor:start_link(?MODULE, self()),
    unlink(Supervisor),
    receive {up, _} -> ok end,
    Restarts = [restart(Round) || Round <- lists:seq(1, Count)],
    io:put_chars([$[, lists:join($,, Restarts), $], $\n]),
    init:stop().

init(Bench) ->
    Child = #{id => victim, start => {'beam-victim', start_link, [Bench]}, restart => permanent},
    {ok, {#{strategy => one_for_one, intensity => 1000000, period => 1}, [Child]}}.

restart(_) ->
    timer:sleep(50),
    Victim = whereis(victim),
    Reference = monitor(process, Victim),
    gen_server:cast(victim, fail),
    FaultedAt = receive {faulted, At} -> At end,
    DetectedAt = receive {'DOWN', Reference, process, _, _} -> erlang:monotonic_time(nanosecond) end,
    receive {up, _} -> ok end,
    gen_server:cast(victim, next),
    ReadyAt = receive {ready, Then} -> Then end,
    io_lib:format("{\"faultMs\":~f,\"detectedMs\":~f,\"readyMs\":~f}", [FaultedAt / 1.0e6, DetectedAt / 1.0e6, ReadyAt / 1.0e6]).
