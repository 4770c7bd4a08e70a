// Ctrl-C, SIGTERM, a closed terminal and a batch system's warning (SIGUSR1, SIGUSR2; SIGXCPU, a
// limit on processor time) as a flag that the main thread looks at.
#pragma once

namespace easgd {

/// From now on these signals come to a thread of their own, and to none that is started later. A
/// handler would put its frame on the stack of a thread that computes, where some of oneDNN's
/// kernels keep numbers. Until catch_interrupts() the signals do what they always do. A signal that
/// was ignored when the program was started (nohup, a shell's background) stays ignored.
/// Thread: main, before there are others.
/// Throws: DeviceError if the system has no thread left.
void hear_signals();

/// From now on the first signal asks the run to end and keep its results. A further one, a second
/// or more later, ends the process at once with ExitCode::abandoned, unless it is SIGXCPU, which
/// comes again by itself. The process goes on if the reader of its output has gone. An earlier
/// wish, of another run in this process, is forgotten.
void catch_interrupts();
bool interrupted();

}  // namespace easgd
