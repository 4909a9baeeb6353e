// `worker rank`: one rank of one job's gang, started by the agent.
#pragma once

namespace mimeo {

// rank --assignment=FILE --agent=unix:PATH --coordinator=HOST:PORT [--host=HOST]. It returns 2 where it cannot read the
// assignment or an address, and 1 where no agent answers. Otherwise it ends the process itself, because a collective in
// flight cannot be aborted: with 0 when the rank completed or stopped as told, and with 1 after an error, which the
// agent knows by then.
//
// SIGTERM and SIGINT tell a rank to stop too, because a supervisor may send them to every process of a host: it
// finishes its step and commits a checkpoint.
int RunRank(int argc, char** argv);

}  // namespace mimeo
