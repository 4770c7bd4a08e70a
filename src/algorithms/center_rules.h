// What the master does with letters that carry a worker's x.
#pragma once

#include <vector>

#include "algorithms/algorithm.h"
#include "kernels/elastic.h"

namespace easgd {

/// reply = alpha (x - c);  c = c + reply. What the center gains is what the worker loses.
class ElasticCenter final : public CenterRule {
 public:
  void absorb(std::span<const Letter> round, View center) override;

 private:
  std::vector<kernels::ElasticLetter> letters_;
};

/// c = x: a single worker's variable, published to be evaluated. No reply.
class PublishedCenter final : public CenterRule {
 public:
  void absorb(std::span<const Letter> round, View center) override;
};

}  // namespace easgd
