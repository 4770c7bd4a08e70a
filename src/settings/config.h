// Every key of a configuration file, declared once: default here, range and meaning in config.cpp.
// load.h reads one, dump.h writes one, config_help.h explains all keys.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "algorithms/algorithm.h"
#include "config/fields.h"
#include "config/reader.h"
#include "data/augmentation.h"
#include "data/dataset_reader.h"
#include "nn/layer.h"
#include "settings/choices.h"
#include "settings/schedule.h"

namespace easgd {

struct DataConfig {
  std::string set = "cifar10";
  std::string dir;
  std::int64_t crop = 0;
  CropKind crop_kind = CropKind::window;
  double crop_area = CropOptions().least_area;
  std::int64_t resize = 0;
  std::int64_t pad = 0;
  bool flip = false;
  OnBadImage on_bad_image = OnBadImage::skip;
  std::int64_t memory = 4096;
  bool resident = true;
  Partition partition = Partition::whole;
  SampleOrder order = SampleOrder::shuffled;
  std::int64_t limit = 0;
  std::int64_t test_limit = 0;
  std::vector<double> mean;
  std::vector<double> deviation;

  std::shared_ptr<DatasetReader> own;  ///< with the keys of one set alone; null: their defaults

  void fields(config::Fields& f);
  CropOptions cropping() const;
  /// The reader of `set`, with the set's own keys.
  std::shared_ptr<const DatasetReader> reader() const;
};

struct NetworkConfig {
  std::string file;
  std::string init;
  StatisticsPolicy statistics = StatisticsPolicy::recompute;
  std::int64_t statistics_samples = 4096;
  std::vector<std::shared_ptr<Layer>> layers;

  void fields(config::Fields& f);
};

struct AlgorithmConfig {
  std::string name = "eamsgd";
  Exchange exchange = Exchange::asynchronous;
  std::int64_t tau = 10;
  std::optional<double> rho, alpha, beta;
  double learning_rate = 0.05;
  double momentum = 0.9;
  double weight_decay = 0;
  Schedule schedule, tau_schedule, rho_schedule;

  std::shared_ptr<AlgorithmOptions> own;  ///< its own keys; null if it has none, or none is chosen
  std::string own_of;                     ///< the algorithm that they belong to

  void fields(config::Fields& f);
  /// Sets the name, and its own keys to their defaults.
  void choose(const std::string& algorithm);
  /// Which of "rho", "alpha", "beta" are given.
  std::vector<std::string> given_coupling() const;
};

struct WorkersConfig {
  std::vector<std::string> devices = {"auto"};
  std::int64_t batch = 128;
  std::int64_t threads = 0;
  std::string precision = "f32";
  bool graphs = true;
  PlanChoice plans = PlanChoice::ranking;
  OnFailure on_failure = OnFailure::go_on;
  double patience = 0;
  std::int64_t refusals = 0;

  void fields(config::Fields& f);
  /// `devices` with a word for each worker: "3 x cpu" stands for three.
  std::vector<std::string> each_device() const;
};

/// Of center.order = "virtual".
struct VirtualConfig {
  double step_seconds = 0.1;
  double transfer_seconds = 0;
  double jitter = 0;

  void fields(config::Fields& f);
};

struct CenterConfig {
  std::string place = "auto";
  OrderKind order = OrderKind::free;
  std::string replay;

  void fields(config::Fields& f);
};

struct StopConfig {
  std::optional<double> epochs;
  std::optional<std::int64_t> steps;
  std::optional<double> seconds;
  std::optional<double> test_error;

  void fields(config::Fields& f);
};

/// Whichever comes first of those that are given.
struct Every {
  std::optional<double> seconds, epochs;
  std::optional<std::int64_t> versions;
};

struct EvaluateConfig {
  Every every;
  std::int64_t batch = 200;
  std::int64_t threads = 1;

  void fields(config::Fields& f);
};

struct CheckpointConfig {
  Every every;
  std::int64_t keep = 2;
  bool best = true;

  void fields(config::Fields& f);
};

/// What a training loss that is lost does to a run.
struct GuardConfig {
  GuardAction action = GuardAction::none;
  double spike = 0;
  double rate = 0.5;

  void fields(config::Fields& f);
};

/// Faults that are injected: fault.h reads them.
struct DebugConfig {
  std::vector<std::string> fail;

  void fields(config::Fields& f);
};

/// For tools/profile.
struct ProfileConfig {
  std::vector<double> steps;

  void fields(config::Fields& f);
};

struct Config {
  std::string name = "run";
  std::int64_t seed = 1;
  DataConfig data;
  NetworkConfig network;
  AlgorithmConfig algorithm;
  WorkersConfig workers;
  CenterConfig center;
  VirtualConfig virtual_time;
  StopConfig stop;
  EvaluateConfig evaluate;
  CheckpointConfig checkpoint;
  GuardConfig guard;
  DebugConfig debug;
  ProfileConfig profile;
  config::Locations locations;  ///< of its keys

  void fields(config::Fields& f);
  /// Letters are absorbed as they come, so that no two runs need be alike. Of a resolved one.
  bool is_order_free() const {
    return center.order == OrderKind::free && algorithm.exchange == Exchange::asynchronous &&
           workers.devices.size() > 1;
  }
};

}  // namespace easgd
