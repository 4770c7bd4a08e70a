// From the stages of a network to the work that a backend does: what it fuses, and which values and
// gradients each piece of work takes and makes. Which layers absorb what is the
// backend's to say. The CPU backend, which adds up gradients as they come, plans none.
#pragma once

#include <functional>
#include <vector>

#include "nn/network.h"

namespace easgd {

/// One stage of the network and what was fused to it. A value is called by the number of the stage
/// whose output it is.
struct Link {
  const Stage* stage = nullptr;
  std::vector<std::size_t> inputs;  ///< values, or Stage::kImages
  std::size_t output = 0;           ///< a value
  const Stage* pool = nullptr;      ///< the layer pools its output as this stage does
  bool relu = false;                ///< the layer applies max(x, 0) to its output
};

/// A link for each stage, in their order.
std::vector<Link> links_of(const std::vector<Stage>& stages);

/// How many inputs of the links are this value.
std::size_t takers(const std::vector<Link>& links, std::size_t value);

/// Whether the second link takes the first's output and nothing else, and nobody else takes that.
bool in_line(const std::vector<Link>& links, const Link& first, const Link& second);

/// The links without those ReLUs that the link before them does too: `absorbs_relu` says which can.
std::vector<Link> absorb_relus(const std::vector<Link>& links,
                               const std::function<bool(const Link&)>& absorbs_relu);

/// What becomes of the gradient with regard to one input of a link.
struct GradientPlan {
  bool wanted = false;  ///< false for images
  bool add = false;     ///< to what a later link has left there, which takes the same value

  bool operator==(const GradientPlan&) const = default;
};

/// For each link, for each of its inputs. Backward passes go from the last link to the first.
std::vector<std::vector<GradientPlan>> plan_gradients(const std::vector<Link>& links);

}  // namespace easgd
