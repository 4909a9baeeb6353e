// How long the OpenMP threads of a process spin while they wait for each other, before they sleep. libgomp lets them
// spin for milliseconds. Where another process uses one of the cores, that makes a process of several threads up to a
// hundred times slower. A short spin avoids this, and is as fast where the cores are free
// (docs/benchmarks/train_step.md).
#pragma once

namespace mimeo {

// Sets GOMP_SPINCOUNT for this process and its children. libgomp reads it when it is loaded, which is before main, so
// this starts the program again by exec, with the same process id. It returns only where nothing is to be done, because
// a person has set GOMP_SPINCOUNT or OMP_WAIT_POLICY (or this function has, before its exec), and where exec fails.
// Call it first in main, before there are threads or open files.
void SpinShortly(char** argv);

// The same for the programs that this process starts from now on, without a new start of this one. For a process that
// has no OpenMP threads itself.
void LetChildrenSpinShortly();

}  // namespace mimeo
