#include "backend/cpu/fusion.h"

#include <fmt/format.h>

#include <utility>

#include "backend/cpu/conv2d.h"
#include "nn/activation.h"
#include "nn/pool2d.h"

namespace easgd::cpu {
namespace {

std::string kind(const Link& link) {
  return link.stage->layer->kind();
}

void pool_before_relu(std::vector<Link>& links) {
  for (std::size_t i = 0; i + 1 < links.size(); ++i) {
    if (kind(links[i]) == Relu().kind() && kind(links[i + 1]) == MaxPool2d().kind() &&
        in_line(links, links[i], links[i + 1])) {
      std::swap(links[i].stage, links[i + 1].stage);
    }
  }
}

void pool_in_first_conv(const Workbench& bench, std::vector<Link>& links) {
  if (links.size() < 2 || !in_line(links, links[0], links[1]) ||
      !can_pool_in_conv2d(bench, *links[0].stage, *links[1].stage)) {
    return;
  }
  links[0].pool = links[1].stage;
  links[0].output = links[1].output;
  links.erase(links.begin() + 1);
}

}  // namespace

const CpuLayerEntry& entry_of(const Link& link) {
  const CpuLayerEntry* entry = Registry<CpuLayerEntry>::find(kind(link));
  if (!entry) throw ConfigError(fmt::format("network: the CPU has no layer \"{}\"", kind(link)));
  return *entry;
}

std::vector<Link> fuse(const Workbench& bench) {
  std::vector<Link> links = links_of(bench.network().stages());
  pool_before_relu(links);
  pool_in_first_conv(bench, links);
  return absorb_relus(links, [](const Link& link) { return entry_of(link).absorbs_relu; });
}

}  // namespace easgd::cpu
