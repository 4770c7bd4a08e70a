#include "base/stray_threads.h"

#include <atomic>

namespace easgd {
namespace {

std::atomic<std::size_t> strays{0};

}  // namespace

void note_stray_threads(std::size_t count) {
  strays += count;
}

bool has_stray_threads() {
  return strays > 0;
}

}  // namespace easgd
