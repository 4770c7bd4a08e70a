#include "backend/cpu/fusion.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/conv2d.h"

namespace easgd::cpu {
namespace {

std::string kind(const Link& link) {
  return link.stage->layer->kind();
}

/// The second takes the first's output, and nothing else does.
bool in_line(const std::vector<Link>& links, const Link& first, const Link& second) {
  return second.inputs == std::vector{first.output} && takers(links, first.output) == 1;
}

void pool_before_relu(std::vector<Link>& links) {
  for (std::size_t i = 0; i + 1 < links.size(); ++i) {
    if (kind(links[i]) == "relu" && kind(links[i + 1]) == "maxpool" &&
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

std::vector<Link> absorb_relu(const std::vector<Link>& links) {
  std::vector<Link> shorter;
  for (const Link& link : links) {
    const bool absorbed = kind(link) == "relu" && !shorter.empty() && !shorter.back().relu &&
                          entry_of(shorter.back()).absorbs_relu &&
                          in_line(links, shorter.back(), link);
    if (absorbed) {
      shorter.back().relu = true;
      shorter.back().output = link.output;
    } else {
      shorter.push_back(link);
    }
  }
  return shorter;
}

}  // namespace

const CpuLayerEntry& entry_of(const Link& link) {
  const CpuLayerEntry* entry = Registry<CpuLayerEntry>::find(kind(link));
  if (!entry) throw ConfigError(fmt::format("network: the CPU has no layer \"{}\"", kind(link)));
  return *entry;
}

std::size_t takers(const std::vector<Link>& links, std::size_t stage) {
  std::size_t count = 0;
  for (const Link& link : links) count += std::size_t(std::ranges::count(link.inputs, stage));
  return count;
}

std::vector<Link> fuse(const Workbench& bench) {
  std::vector<Link> links;
  for (const Stage& stage : bench.network().stages()) {
    links.push_back({.stage = &stage, .inputs = stage.inputs, .output = links.size()});
  }
  pool_before_relu(links);
  pool_in_first_conv(bench, links);
  return absorb_relu(links);
}

}  // namespace easgd::cpu
