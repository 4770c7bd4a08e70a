#include "base/startable_threads.h"

#include <latch>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace easgd {

std::size_t startable_threads(std::size_t wanted) {
  std::latch end(1);
  std::vector<std::thread> threads;
  threads.reserve(wanted);
  try {
    while (threads.size() < wanted) threads.emplace_back([&end] { end.wait(); });
  } catch (const std::system_error&) {  // no more of them
  } catch (const std::bad_alloc&) {     // nor memory for one
  }
  end.count_down();
  for (std::thread& thread : threads) thread.join();
  return threads.size();
}

}  // namespace easgd
