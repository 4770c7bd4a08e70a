// order.bin of as many workers as it says, up to some, as it is and with its checksum mended, and
// the lives that a replay reads out of it.
#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>

#include "base/fnv1a.h"
#include "exchange/recording.h"
#include "target.h"

namespace easgd::testing {
namespace {

constexpr std::size_t kWorkersAt = 16;
constexpr std::uint32_t kMost = 64;

bool has_checksum(std::string_view bytes) {
  return bytes.starts_with("easgd order 4\n") || bytes.starts_with("easgd order 5\n");
}

void read_as_it_is(std::string_view bytes) {
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
  if (has_checksum(bytes)) expect(again.view() == bytes, "writes what it was read from");
  expect(recording.lives().size() <= workers, "lives of workers that there are");
  accepts([&] { recording.check_repeats("name = \"\"\n", "order.bin"); });
}

void read(std::string_view bytes) {
  read_as_it_is(bytes);
  if (!has_checksum(bytes)) return;
  std::string mended(bytes.substr(0, bytes.size() - sizeof(std::uint64_t)));
  const std::uint64_t checksum = fnv1a(mended);
  mended.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  read_as_it_is(mended);
}

const RegisteredTarget kRegistered("order", {read});

}  // namespace
}  // namespace easgd::testing
