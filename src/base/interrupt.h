// Ctrl-C, SIGTERM and a closed terminal as a flag that the main thread looks at.
#pragma once

namespace easgd {

/// The first signal asks the run to end and keep its results; a further one, a second or more
/// later, ends the process at once with ExitCode::abandoned. A signal that was ignored when the
/// program was started (nohup, a shell's background) stays ignored. A reader of our output that has
/// gone ends nothing.
void catch_interrupts();
bool interrupted();

}  // namespace easgd
