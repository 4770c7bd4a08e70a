// order.bin of as many workers as it says, up to some, and the lives that a replay reads out of it.
#include <algorithm>
#include <cstring>
#include <sstream>

#include "exchange/recording.h"
#include "target.h"

namespace easgd::testing {
namespace {

constexpr std::size_t kWorkersAt = 16;
constexpr std::uint32_t kMost = 64;

void read(std::string_view bytes) {
  static const FuzzFolder folder;
  std::uint32_t workers = 1;
  if (bytes.size() >= kWorkersAt + sizeof workers) {
    std::memcpy(&workers, bytes.data() + kWorkersAt, sizeof workers);
    workers = std::clamp(workers, 1u, kMost);
  }
  const std::string path = folder.put("order.bin", bytes);
  Recording recording;
  if (!accepts([&] { recording = Recording::read(path, workers); })) return;
  std::ostringstream again;
  recording.write(again, workers);
  expect(again.view() == bytes, "writes what it was read from");
  expect(recording.lives().size() <= workers, "lives of workers that there are");
  accepts([&] { recording.check_repeats("name = \"\"\n", "order.bin"); });
}

const RegisteredTarget kRegistered("order", {read});

}  // namespace
}  // namespace easgd::testing
