#pragma once

namespace easgd::cpu {

/// The most threads that one worker can have, the limit being the user's: OMP_THREAD_LIMIT.
int largest_team();

}  // namespace easgd::cpu
