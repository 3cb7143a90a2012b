%% Erlang's side of the kernel bench: what its processes do where ours are actors. Each scenario writes one
%% line of JSON. Pinned by the scheduler option of spawn_opt, so that a pair is where its row says.
%% (OTP has a module called peer.)
-module('beam-peer').
-export([main/1]).

-record(reading, {id, kind, value}).

main([Name | Words]) ->
    Line = scenario(list_to_atom(Name), [list_to_integer(Word) || Word <- Words]),
    io:put_chars([Line, $\n]),
    init:stop().

%% A source sends Count readings to a sink, on these schedulers, after a warm-up of a quarter.
scenario(flow, [Count, SourceOn, SinkOn]) ->
    Nanoseconds = in_process(SourceOn, fun() ->
        _ = round_of(Count div 4, SinkOn),
        round_of(Count, SinkOn)
    end),
    io_lib:format("{\"messages\":~b,\"elapsedMs\":~f}", [Count, Nanoseconds / 1.0e6]);
%% One reading goes to the other process and comes back, Count times; the first quarter warms up.
scenario(trips, [Count, CallerOn, EchoerOn]) ->
    Trips = in_process(CallerOn, fun() ->
        Echoer = spawn_opt(fun echo/0, [link, {scheduler, EchoerOn}]),
        lists:nthtail(Count div 4, call(Echoer, 0, Count, erlang:monotonic_time(nanosecond), []))
    end),
    Numbers = [io_lib:format("~.3f", [Nanoseconds / 1.0e3]) || Nanoseconds <- Trips],
    ["{\"roundTripsUs\":[", lists:join($,, Numbers), "]}"];
%% So many processes, and a token that passes through all of them, Laps times.
scenario(crowd, [Count, Laps]) ->
    erlang:garbage_collect(),
    {LiveBefore, ResidentBefore} = {erlang:memory(total), resident()},
    Started = erlang:monotonic_time(nanosecond),
    First = spawn_ring(Count, self()),
    Spawned = erlang:monotonic_time(nanosecond) - Started,
    erlang:garbage_collect(),
    {LiveAfter, ResidentAfter} = {erlang:memory(total), resident()},
    Fastest = lists:min([lap(First, Count) || _ <- lists:seq(1, Laps)]),
    io_lib:format(
        "{\"spawnedPerSecond\":~f,\"liveBytesPerActor\":~f,\"residentBytesPerActor\":~f,\"hopsPerSecond\":~f}",
        [Count / Spawned * 1.0e9, (LiveAfter - LiveBefore) / Count, (ResidentAfter - ResidentBefore) / Count, Count / Fastest * 1.0e9]
    ).

in_process(Scheduler, Fun) ->
    Self = self(),
    spawn_opt(fun() -> Self ! {done, Fun()} end, [link, {scheduler, Scheduler}]),
    receive {done, Result} -> Result end.

round_of(Count, SinkOn) ->
    Self = self(),
    Sink = spawn_opt(fun() -> sink(Self, Count, 0, 0.0) end, [link, {scheduler, SinkOn}]),
    Started = erlang:monotonic_time(nanosecond),
    send(Sink, 0, Count),
    receive {all, Sum} -> check(Sum, Count) end,
    erlang:monotonic_time(nanosecond) - Started.

send(_, Count, Count) -> ok;
send(Sink, Id, Count) ->
    Sink ! reading(Id),
    send(Sink, Id + 1, Count).

sink(Source, 0, _, Sum) -> Source ! {all, Sum};
sink(Source, Left, Last, Sum) ->
    receive #reading{id = Id, value = Value} when Id >= Last -> sink(Source, Left - 1, Id, Sum + Value) end.

%% The sum of the values of all readings, exactly.
check(Sum, Count) when Sum == Count * (Count - 1) / 4 -> ok.

reading(Id) ->
    #reading{id = Id, kind = element((Id band 3) + 1, {<<"speed">>, <<"height">>, <<"heading">>, <<"pressure">>}), value = Id * 0.5}.

echo() ->
    receive {From, #reading{} = Reading} -> From ! Reading end,
    echo().

call(_, Count, Count, _, Trips) -> lists:reverse(Trips);
call(Echoer, Id, Count, Last, Trips) ->
    Echoer ! {self(), reading(Id)},
    receive #reading{id = Id} -> ok end,
    Now = erlang:monotonic_time(nanosecond),
    call(Echoer, Id + 1, Count, Now, [Now - Last | Trips]).

spawn_ring(0, Next) -> Next;
spawn_ring(Count, Next) -> spawn_ring(Count - 1, spawn(fun() -> pass_on(Next) end)).

pass_on(Next) ->
    receive {token, Hops} -> Next ! {token, Hops + 1} end,
    pass_on(Next).

lap(First, Count) ->
    Started = erlang:monotonic_time(nanosecond),
    First ! {token, 0},
    receive {token, Count} -> erlang:monotonic_time(nanosecond) - Started end.

%% Bytes that this process of the system holds; where there is no /proc, nothing is known.
resident() ->
    case file:read_file("/proc/self/status") of
        {ok, Status} ->
            {match, [KiB]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, all_but_first, list}]),
            list_to_integer(KiB) * 1024;
        _ -> 0
    end.
