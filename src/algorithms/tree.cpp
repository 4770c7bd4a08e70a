// EASGD Tree [Zhang 2016, section 6.1]: workers in groups of `fanout` with a center each, these in
// groups again, up to one root, which is the center that is evaluated.
//
//   a worker and its group's center c:   as in EASGD: e = alpha (x - c), c = c + e, x = x - e
//   every tau_up letters of a node c:    parent = parent + alpha (c - parent)
//   every tau_down letters of a node c:  c = c + alpha (parent - c)
//
// A node's letters are those that it has absorbed, from workers or from the nodes below. beta is
// (fanout + 1) alpha: one share for each child and the parent. All nodes live with the master. The
// thesis sends both ways by the clock of each node, leaves too; here a worker and its group meet as
// in EASGD, by the worker's tau.

#include "algorithms/center_rules.h"
#include "algorithms/local_rules.h"
#include "base/limits.h"

namespace easgd {
namespace {

struct TreeOptions final : AlgorithmOptions {
  std::int64_t fanout = 4;
  std::int64_t tau_up = 1;
  std::int64_t tau_down = 10;

  std::string table() const override { return "tree"; }
  void fields(config::Fields& f) override {
    f.integer("fanout", fanout, {2, kMostWorkers}, "workers of a group, and groups of a group");
    f.integer("tau_up", tau_up, {1, kMostPeriod},
              "letters a group absorbs between two to its parent");
    f.integer("tau_down", tau_down, {1, kMostPeriod},
              "letters a group absorbs between two pulls of its parent");
  }
};

class Tree final : public CenterRule {
 public:
  Tree(Backend& backend, const RuleOptions& options, ConstView x0)
      : backend_(backend),
        fanout_(std::size_t(options.of<TreeOptions>().fanout)),
        tau_up_(std::uint64_t(options.of<TreeOptions>().tau_up)),
        tau_down_(std::uint64_t(options.of<TreeOptions>().tau_down)) {
    std::size_t count = options.workers;
    do {
      count = (count + fanout_ - 1) / fanout_;
      levels_.emplace_back(count);
    } while (count > 1);
    for (auto& level : levels_) {
      for (Node& node : level) {
        node.center = backend_.allocate(x0.size());
        backend_.upload(x0, node.center);
      }
    }
  }

  void absorb(const Round& round, View center) override {
    for (const Letter& letter : round.letters) {
      const std::size_t group = letter.worker / fanout_;
      float* c = levels_[0][group].center.data();
      backend_.run(kernels::Absorb{.e = letter.reply.data(),
                                   .c = c,
                                   .x = letter.values.data(),
                                   .start = c,
                                   .alpha = letter.rates.alpha},
                   center.size());
      pass_on(0, group, letter.rates.alpha);
    }
    backend_.run(kernels::Copy{center.data(), levels_.back()[0].center.data()}, center.size());
  }

  void describe(State& state) override {
    for (std::size_t level = 0; level < levels_.size(); ++level) {
      for (std::size_t i = 0; i < levels_[level].size(); ++i) {
        Node& node = levels_[level][i];
        state.vector(fmt::format("node {}.{}", level, i), node.center);
        state.counter(fmt::format("letters {}.{}", level, i), node.letters);
      }
    }
  }

 private:
  struct Node {
    Buffer center;
    std::uint64_t letters = 0;
  };

  /// What a node does after absorbing a letter.
  void pass_on(std::size_t level, std::size_t index, float alpha) {
    Node& node = levels_[level][index];
    ++node.letters;
    if (level + 1 == levels_.size()) return;
    Node& parent = levels_[level + 1][index / fanout_];
    if (node.letters % tau_up_ == 0) {
      move(parent.center, node.center, alpha);
      pass_on(level + 1, index / fanout_, alpha);
    }
    if (node.letters % tau_down_ == 0) move(node.center, parent.center, alpha);
  }

  /// x = x + alpha (towards - x)
  void move(View x, ConstView towards, float alpha) {
    backend_.run(kernels::Average{.z = x.data(), .x = towards.data(), .a = alpha}, x.size());
  }

  Backend& backend_;
  std::size_t fanout_;
  std::uint64_t tau_up_, tau_down_;
  std::vector<std::vector<Node>> levels_;  // from the groups of workers to the root
};

/// One share of beta for each child of a node and one for its parent.
std::size_t shares_of(const RuleOptions& options) {
  return std::size_t(options.of<TreeOptions>().fanout) + 1;
}

template <class Rule>
Algorithm tree() {
  return {
      .worker = make_worker_rule<Rule>,
      .center = make_center_rule<Tree>,
      .options = std::make_unique<TreeOptions>,
      .coupling = Coupling::elastic,
      .exchange = Exchange::asynchronous,
      .shares = shares_of,
  };
}

const RegisteredAlgorithm kEasgd("easgd_tree", tree<SgdRule>());
const RegisteredAlgorithm kEamsgd("eamsgd_tree", tree<NesterovRule>());

}  // namespace
}  // namespace easgd
