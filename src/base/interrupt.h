// Ctrl-C and SIGTERM as a flag that the main thread looks at.
#pragma once

namespace easgd {

/// The first signal asks the run to end and keep its results; a second one ends the process at once.
void catch_interrupts();
bool interrupted();

}  // namespace easgd
