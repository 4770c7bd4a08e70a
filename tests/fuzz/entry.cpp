// Where libFuzzer enters: $EASGD_FUZZ_TARGET says which target gets the bytes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "target.h"

using easgd::Registry;
using easgd::testing::FuzzTarget;

namespace {

const FuzzTarget* target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("EASGD_FUZZ_TARGET");
  target = name ? Registry<FuzzTarget>::find(name) : nullptr;
  if (target) return 0;
  std::fprintf(stderr, "EASGD_FUZZ_TARGET has to name one of:");
  for (const auto& known : Registry<FuzzTarget>::names())
    std::fprintf(stderr, " %s", known.c_str());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  target->read({reinterpret_cast<const char*>(bytes), count});
  return 0;
}
