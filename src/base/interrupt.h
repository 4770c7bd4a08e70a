// Ctrl-C, SIGTERM, a closed terminal and a batch system's warning (SIGUSR1, SIGUSR2; SIGXCPU, a
// limit on processor time) as a flag that the main thread looks at.
#pragma once

namespace easgd {

/// Has all of these signals come to a thread of their own, and to no other that is started from now
/// on: a signal handler's frame on the stack of a thread that computes would lie where some of
/// oneDNN's kernels keep numbers. Until catch_interrupts() they do what they always do. A signal that
/// was ignored when the program was started (nohup, a shell's background) stays ignored.
/// Thread: main, before there are others.
/// Throws: DeviceError where the system has no thread left.
void hear_signals();

/// From now on the first signal asks the run to end and keep its results; a further one, a second or
/// more later, ends the process at once with ExitCode::abandoned, but for SIGXCPU, which comes again
/// by itself. A reader of our output that has gone ends nothing. An earlier wish, of another run in
/// this process, is forgotten.
void catch_interrupts();
bool interrupted();

}  // namespace easgd
