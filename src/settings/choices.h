// The choices of a configuration that code compares.
#pragma once

#include "algorithms/algorithm.h"
#include "algorithms/statistics_policy.h"
#include "config/choice.h"
#include "data/augmentation.h"
#include "data/dataset_reader.h"
#include "data/sampling.h"

namespace easgd {

/// center.order: the order in which letters are absorbed.
enum class OrderKind { free, round_robin, replay, virtual_time };

/// workers.plans: how convolutions are chosen on CUDA.
enum class PlanChoice { ranking, search };

/// workers.on_failure: what comes after a worker's failure.
enum class OnFailure { go_on, restart, stop };

/// guard.action: what comes after the loss of the training loss.
enum class GuardAction { none, stop, back };

/// A configuration exchanges one way; only an algorithm may allow any.
template <>
struct config::Names<Exchange> {
  static constexpr Name<Exchange> all[] = {{"asynchronous", Exchange::asynchronous},
                                           {"synchronous", Exchange::synchronous}};
};

template <>
struct config::Names<StatisticsPolicy> {
  static constexpr Name<StatisticsPolicy> all[] = {{"average", StatisticsPolicy::average},
                                                   {"keep", StatisticsPolicy::keep},
                                                   {"recompute", StatisticsPolicy::recompute}};
};

template <>
struct config::Names<Partition> {
  static constexpr Name<Partition> all[] = {
      {"whole", Partition::whole}, {"shard", Partition::shard}, {"chunks", Partition::chunks}};
};

template <>
struct config::Names<CropKind> {
  static constexpr Name<CropKind> all[] = {{"window", CropKind::window},
                                           {"resized", CropKind::resized}};
};

template <>
struct config::Names<OnBadImage> {
  static constexpr Name<OnBadImage> all[] = {{"skip", OnBadImage::skip},
                                             {"stop", OnBadImage::stop}};
};

template <>
struct config::Names<SampleOrder> {
  static constexpr Name<SampleOrder> all[] = {{"shuffled", SampleOrder::shuffled},
                                              {"sequential", SampleOrder::sequential}};
};

template <>
struct config::Names<OrderKind> {
  static constexpr Name<OrderKind> all[] = {{"free", OrderKind::free},
                                            {"round_robin", OrderKind::round_robin},
                                            {"replay", OrderKind::replay},
                                            {"virtual", OrderKind::virtual_time}};
};

template <>
struct config::Names<PlanChoice> {
  static constexpr Name<PlanChoice> all[] = {{"ranking", PlanChoice::ranking},
                                             {"search", PlanChoice::search}};
};

template <>
struct config::Names<OnFailure> {
  static constexpr Name<OnFailure> all[] = {
      {"continue", OnFailure::go_on}, {"restart", OnFailure::restart}, {"stop", OnFailure::stop}};
};

template <>
struct config::Names<GuardAction> {
  static constexpr Name<GuardAction> all[] = {
      {"none", GuardAction::none}, {"stop", GuardAction::stop}, {"back", GuardAction::back}};
};

}  // namespace easgd
