#pragma once

namespace easgd {

/// Gives the memory that nobody uses back to the system. The C library keeps what a thread has
/// freed in an arena from which other threads take nothing.
/// Thread: any; takes milliseconds, in which others may have to wait for memory.
void give_back_free_memory();

}  // namespace easgd
