// How long this process's OpenMP threads spin for each other before they sleep. libgomp's default, milliseconds, makes
// a process of several threads up to a hundred times slower where something else has one of its cores; a short while is
// as fast where nothing has (docs/benchmarks/train_step.md).
#pragma once

namespace mimeo {

// libgomp reads its settings when it is loaded, before main: so this starts the program again, as the same process,
// with GOMP_SPINCOUNT in its environment, which its children inherit. Returns where GOMP_SPINCOUNT or OMP_WAIT_POLICY
// is set already, or where the program cannot be started again. Call it first in main, before there are threads or open
// files.
void SpinShortly(char** argv);

// The same for the programs that this process starts from now on; for one that has no OpenMP threads itself.
void LetChildrenSpinShortly();

}  // namespace mimeo
