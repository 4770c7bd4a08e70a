#include "train/find_environment.h"

#include <charconv>

#include "backend/backend_kind.h"
#include "base/error.h"
#include "base/processor_name.h"
#include "base/usable_cores.h"
#include "base/version.h"

namespace easgd {
namespace {

/// Descriptions of those that are GPUs.
std::vector<std::string> gpus_among(const std::vector<std::string>& devices) {
  constexpr std::string_view kGpu = "cuda:";
  std::vector<std::string> gpus;
  for (const std::string& device : devices) {
    if (!device.starts_with(kGpu)) continue;
    std::size_t index = 0;
    std::from_chars(device.data() + kGpu.size(), device.data() + device.size(), index);
    try {
      const std::vector<Device> all = Registry<BackendKind>::get("cuda").devices();
      if (index < all.size()) gpus.push_back(all[index].description);
    } catch (const Error&) {
      return {};
    }
  }
  return gpus;
}

}  // namespace

Environment find_environment(const std::vector<std::string>& devices) {
  return {.program = kVersion,
          .processor = processor_name(),
          .cores = usable_cores(),
          .gpus = gpus_among(devices)};
}

}  // namespace easgd
