#include "nn/lowering.h"

#include <algorithm>
#include <set>

#include "nn/activation.h"

namespace easgd {

std::vector<Link> links_of(const std::vector<Stage>& stages) {
  std::vector<Link> links;
  for (const Stage& stage : stages) {
    links.push_back({.stage = &stage, .inputs = stage.inputs, .output = links.size()});
  }
  return links;
}

std::size_t takers(const std::vector<Link>& links, std::size_t value) {
  std::size_t count = 0;
  for (const Link& link : links) count += std::size_t(std::ranges::count(link.inputs, value));
  return count;
}

bool in_line(const std::vector<Link>& links, const Link& first, const Link& second) {
  return second.inputs == std::vector{first.output} && takers(links, first.output) == 1;
}

std::vector<Link> absorb_relus(const std::vector<Link>& links,
                               const std::function<bool(const Link&)>& absorbs_relu) {
  std::vector<Link> shorter;
  for (const Link& link : links) {
    const auto before = std::ranges::find(shorter, link.inputs[0], &Link::output);
    const bool absorbed = link.stage->layer->kind() == Relu().kind() && before != shorter.end() &&
                          !before->relu && in_line(links, *before, link) && absorbs_relu(*before);
    if (absorbed) {
      before->relu = true;
      before->output = link.output;
    } else {
      shorter.push_back(link);
    }
  }
  return shorter;
}

std::vector<std::vector<GradientPlan>> plan_gradients(const std::vector<Link>& links) {
  std::vector<std::vector<GradientPlan>> plans(links.size());
  std::set<std::size_t> made;
  for (std::size_t i = links.size(); i-- > 0;) {
    for (const std::size_t value : links[i].inputs) {
      const bool wanted = value != Stage::kImages;
      plans[i].push_back({.wanted = wanted, .add = wanted && !made.insert(value).second});
    }
  }
  return plans;
}

}  // namespace easgd
