// A checkpoint, as it is and with its checksums mended: a change of one byte shall get beyond them.
#include <cstring>
#include <sstream>

#include "runs/checkpoint_file.h"
#include "runs/tf_record.h"
#include "target.h"

namespace easgd::testing {
namespace {

constexpr std::size_t kMagic = 19;

/// Every section that is whole gets the checksum that it should have.
std::string mended(std::string bytes) {
  std::size_t at = kMagic;
  const auto left = [&] { return bytes.size() - std::min(bytes.size(), at); };
  while (left() >= sizeof(std::uint32_t)) {
    std::uint32_t name = 0;
    std::uint64_t payload = 0;
    const std::size_t begin = at;
    std::memcpy(&name, bytes.data() + at, sizeof name);
    at += sizeof name;
    if (left() < name + sizeof payload) break;
    at += name;
    std::memcpy(&payload, bytes.data() + at, sizeof payload);
    at += sizeof payload;
    if (payload > left() || left() - payload < sizeof(std::uint32_t)) break;
    at += payload;
    const std::uint32_t crc = crc32c(std::string_view(bytes).substr(begin, at - begin));
    std::memcpy(bytes.data() + at, &crc, sizeof crc);
    at += sizeof crc;
  }
  return bytes;
}

std::string written(const Checkpoint& checkpoint) {
  std::ostringstream file;
  write_checkpoint(file, checkpoint);
  return file.str();
}

/// One that is taken has the same sections once it was written and read again.
void read_file(std::string_view bytes) {
  static const FuzzFolder folder;
  Checkpoint checkpoint;
  if (!accepts([&] { checkpoint = read_checkpoint(folder.put("version-1", bytes)); })) return;
  const std::string again = written(checkpoint);
  expect(written(read_checkpoint(folder.put("version-2", again))) == again, "reads back");
}

void read(std::string_view bytes) {
  read_file(bytes);
  read_file(mended(std::string(bytes)));
}

const RegisteredTarget kRegistered("checkpoint", {read});

}  // namespace
}  // namespace easgd::testing
