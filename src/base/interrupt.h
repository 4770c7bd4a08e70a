// Ctrl-C, SIGTERM and a closed terminal as a flag that the main thread looks at.
#pragma once

namespace easgd {

/// The first signal asks the run to end and keep its results; a second one ends the process at
/// once. A reader of our output that has gone ends nothing.
void catch_interrupts();
bool interrupted();

}  // namespace easgd
