#include "runs/best_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "nn/safetensors.h"

namespace easgd {
namespace {

constexpr const char* kName = "best.safetensors";
constexpr const char* kError = "easgd.test_error";

/// Infinite if there is no such file, or it does not say.
double error_in(const std::filesystem::path& path) {
  double error = std::numeric_limits<double>::infinity();
  try {
    const auto metadata = safetensors::read(path).metadata;
    if (const auto found = metadata.find(kError); found != metadata.end()) {
      const std::string& text = found->second;
      std::from_chars(text.data(), text.data() + text.size(), error);
    }
  } catch (const DataError&) {  // the next center takes its place
  }
  return error;
}

}  // namespace

BestFile::BestFile(RunFolder& folder, const Network& network,
                   std::map<std::string, std::string> metadata)
    : folder_(folder),
      network_(network),
      metadata_(std::move(metadata)),
      lowest_(error_in(folder.file(kName))) {}

void BestFile::offer(const Evaluation& evaluation, ConstView state) {
  const double error = evaluation.test.error();
  if (!(error < lowest_) || !std::isfinite(evaluation.test.mean_loss())) return;
  auto metadata = metadata_;
  metadata["easgd.version"] = std::to_string(evaluation.version);
  metadata[kError] = fmt::format("{}", error);
  folder_.write(
      kName, [&](std::ostream& stream) { safetensors::write(stream, network_, state, metadata); });
  lowest_ = error;
}

}  // namespace easgd
