// `worker rank`: one rank of one job's gang, started by the agent.
#pragma once

namespace mimeo {

// rank --assignment=FILE --agent=unix:PATH --coordinator=HOST:PORT [--host=HOST]. Returns 0 when it completed or
// stopped as told, 1 after an error, which the agent knows by then. SIGTERM and SIGINT are such telling too, because a
// supervisor may send them to every process of a host: the rank finishes its step and commits a checkpoint.
int RunRank(int argc, char** argv);

}  // namespace mimeo
