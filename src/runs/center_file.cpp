#include "runs/center_file.h"

#include "nn/safetensors.h"

namespace easgd {

namespace {

constexpr const char* kName = "center.safetensors";

}  // namespace

CenterFile::CenterFile(RunFolder& folder, const Network& network,
                       std::map<std::string, std::string> metadata)
    : folder_(folder), network_(network), metadata_(std::move(metadata)) {}

void CenterFile::begin(ConstView state0) {
  const std::lock_guard lock(mutex_);
  if (!version_) write(state0, 0);
}

void CenterFile::save(ConstView state, std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  write(state, version);
}

void CenterFile::write(ConstView state, std::uint64_t version) {
  auto metadata = metadata_;
  metadata["easgd.version"] = std::to_string(version);
  folder_.write(
      kName, [&](std::ostream& stream) { safetensors::write(stream, network_, state, metadata); });
  version_ = version;
}

std::optional<std::uint64_t> CenterFile::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

std::string CenterFile::path() const {
  return folder_.file(kName).string();
}

}  // namespace easgd
