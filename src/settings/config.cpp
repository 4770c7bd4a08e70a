#include "settings/config.h"

#include <charconv>
#include <string_view>

#include "algorithms/algorithm.h"
#include "base/limits.h"
#include "data/normalisation.h"
#include "settings/algorithm_keys.h"
#include "settings/dataset_keys.h"
#include "settings/layer_tables.h"

namespace easgd {

void DataConfig::fields(config::Fields& f) {
  f.choice("set", set, Registry<DatasetEntry>::names(), "data set to train on");
  f.text(
      "dir", dir,
      "its folder or its parent, relative to the current folder; empty: $EASGD_DATA, else data/");
  f.integer("crop", crop, {0, kLongestSide},
            "side of the crop, random in training, center in evaluation; 0 = none");
  config::choice(f, "crop_kind", crop_kind,
                 "what is cut at random: a window, or a part of any size, which is resized");
  f.number("crop_area", crop_area, {1e-3, 1}, "least share of the image that a resized part has");
  f.integer("resize", resize, {0, kLongestSide},
            "resize the shorter side of images to this before they are cropped; 0 = do not");
  f.integer("pad", pad, {0, kLongestSide},
            "black pixels on each side that a random crop may reach into");
  f.flag("flip", flip, "mirror every second training image, at random");
  f.flag("resident", resident,
         "GPUs keep the training set, as bytes, if it takes at most a quarter of their free "
         "memory");
  config::choice(f, "on_bad_image", on_bad_image,
                 "of a picture that cannot be decoded: take the next of its class, or stop");
  f.integer("memory", memory, {1, 1e7},
            "MiB that batches ahead of the workers may take, all together");
  config::choice(f, "partition", partition,
                 "what a worker samples: the whole set, its share, or chunks as in the paper");
  config::choice(f, "order", order, "order of the samples in a pass");
  f.integer("limit", limit, {0, kMostSamples}, "use the first n training samples; 0 = all");
  f.integer("test_limit", test_limit, {0, kMostSamples}, "use the first n test samples; 0 = all");
  f.numbers("mean", mean, {-1e3, 1e3},
            "subtracted from pixel/255, a value per channel; empty: the training set's");
  f.numbers("deviation", deviation, {kLeastDeviation, 1e3},
            "then divided by, a value per channel; empty: the training set's");
  dataset_fields(f, *this);
}

CropOptions DataConfig::cropping() const {
  return {.side = int(crop),
          .resize = int(resize),
          .pad = int(pad),
          .flip = flip,
          .kind = crop_kind,
          .least_area = crop_area};
}

std::shared_ptr<const DatasetReader> DataConfig::reader() const {
  if (own && own->name() == set) return own;
  return make_dataset_reader(set);
}

void NetworkConfig::fields(config::Fields& f) {
  f.text("file", file, "TOML file with the [[layer]] tables; relative to this file");
  f.text(
      "init", init,
      "safetensors file (F32, F16, BF16, F64) with the network's tensors and no others, to start "
      "from; relative to the current folder; empty: random weights of the seed");
  config::choice(
      f, "statistics", statistics,
      "running statistics of batch normalisation in the center: average of the workers', "
      "recompute at the center before each evaluation, keep those of the last letter");
  f.integer(
      "statistics_samples", statistics_samples, {1, kMostSamples},
      "training samples of a recomputation, in whole batches of evaluate.batch, at least one");
  layer_fields(f, "layer", layers);
}

void AlgorithmConfig::fields(config::Fields& f) {
  f.choice("name", name, Registry<Algorithm>::names(), "how workers learn and exchange");
  config::choice(f, "exchange", exchange,
                 "letters absorbed one by one, or all of a round against the same center");
  f.integer("tau", tau, {1, kMostPeriod}, "steps of a worker between two exchanges");
  f.number("rho", rho, {0, 1e6},
           "elastic penalty; alpha = learning_rate rho (give one of rho, alpha, beta)");
  f.number("alpha", alpha, {0, 2},
           "moving rate of one exchange, or of an average (give one of rho, alpha, beta)");
  f.number("beta", beta, {0, 1e4}, "workers x alpha (give one of rho, alpha, beta)");
  f.number("learning_rate", learning_rate, {1e-12, 1e3}, "eta, before its schedule");
  f.number("momentum", momentum, {0, 0.99999}, "Nesterov momentum delta, if the algorithm has one");
  f.number("weight_decay", weight_decay, {0, 10},
           "l2 coefficient, applied at the point of the gradient");
  own_fields(f, *this);
  f.table(
      "schedule", [this](config::Fields& t) { schedule.fields(t); },
      "factor on the learning rate, by the worker's own clock");
  f.table(
      "tau_schedule", [this](config::Fields& t) { tau_schedule.fields(t); }, "factor on tau");
  f.table(
      "rho_schedule", [this](config::Fields& t) { rho_schedule.fields(t); },
      "factor on alpha (alpha does not follow the learning rate's schedule)");
}

void AlgorithmConfig::choose(const std::string& algorithm) {
  name = own_of = algorithm;
  own = make_options(Registry<Algorithm>::get(algorithm));
}

std::vector<std::string> AlgorithmConfig::given_coupling() const {
  std::vector<std::string> given;
  if (rho) given.push_back("rho");
  if (alpha) given.push_back("alpha");
  if (beta) given.push_back("beta");
  return given;
}

void WorkersConfig::fields(config::Fields& f) {
  f.words("devices", devices,
          "a device for each worker, as [\"cpu\", \"cpu\"], \"2 x cpu\" or [0, 1] for CUDA; or "
          "\"auto\": "
          "one worker per GPU, or one per core if there is no GPU");
  f.integer("batch", batch, {1, kMostBatch}, "samples in a step of one worker");
  f.integer("threads", threads, {0, kMostThreads},
            "CPU threads of each worker; 0 = cores / workers");
  f.choice("precision", precision, {"f32", "bf16", "tf32"},
           "of activations and products; parameters stay f32; \"bf16\" if the processor or GPU has "
           "it, \"tf32\" on CUDA: float activations, rounded factors");
  f.flag("graphs", graphs, "CUDA: a step's kernels are recorded once and launched as one graph");
  config::choice(
      f, "plans", plans,
      "CUDA: take cuDNN's first choice for each convolution, or time the candidates once and keep "
      "the fastest, in ~/.cache/easgd; the bits of a run depend on it");
  config::choice(f, "on_failure", on_failure,
                 "when a worker fails: the others go on without it, it starts again from the "
                 "center, or the run ends");
  f.number("patience", patience, {0, 1e6},
           "seconds without any progress after which a worker has failed; 0 = it is waited for");
  f.integer("refusals", refusals, {0, kMostSteps},
            "letters in a row that are not finite after which a worker has failed; 0 = it only "
            "starts again from the center");
}

std::vector<std::string> WorkersConfig::each_device() const {
  std::vector<std::string> all;
  for (const std::string& word : devices) {
    constexpr std::string_view kTimes = " x ";
    const std::size_t at = word.find(kTimes);
    std::size_t count = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
    const bool is_many = at != word.npos && error == std::errc() && end == word.data() + at &&
                         word.size() > at + kTimes.size();
    if (is_many && count >= 1 && count <= kMostWorkers) {
      all.insert(all.end(), count, word.substr(at + kTimes.size()));
    } else {
      all.push_back(word);
    }
  }
  return all;
}

void CenterConfig::fields(config::Fields& f) {
  f.text("place", place,
         "memory that holds the center variable: \"pinned\", of the host; \"cuda:<n>\", of a "
         "device; \"workers\", of every worker's device, for synchronous exchanges through NCCL; "
         "\"auto\" is \"workers\" if that is possible, else \"pinned\"");
  config::choice(f, "order", order, "order in which letters are absorbed");
  f.text("replay", replay,
         "order.bin of the run to repeat, for order = \"replay\"; relative to the current folder");
}

void VirtualConfig::fields(config::Fields& f) {
  f.number("step_seconds", step_seconds, {1e-9, 1e6}, "of a worker's gradient and step");
  f.number("transfer_seconds", transfer_seconds, {0, 1e6}, "of a letter or a reply, one way");
  f.number("jitter", jitter, {0, 0.99},
           "a step takes step_seconds (1 + u), u uniform in -jitter..jitter, of the seed");
}

void StopConfig::fields(config::Fields& f) {
  f.number("epochs", epochs, {1e-6, 1e6}, "passes over the training set, all workers together");
  f.integer("steps", steps, {1, kMostSteps}, "steps of each worker");
  f.number("seconds", seconds, {1e-3, 1e8}, "training time");
  f.number("test_error", test_error, {0, 1}, "stop once the center is this good (a fraction)");
}

namespace {

/// The period between two `events`.
void every_fields(config::Fields& t, Every& every, const std::string& events) {
  const std::string between = "between " + events;
  t.number("seconds", every.seconds, {1e-3, 1e8}, ("training time " + between).c_str());
  t.number("epochs", every.epochs, {1e-6, 1e6}, ("passes of all workers " + between).c_str());
  t.integer("versions", every.versions, {1, kMostSteps}, ("absorbed letters " + between).c_str());
}

}  // namespace

void EvaluateConfig::fields(config::Fields& f) {
  f.table(
      "every", [this](config::Fields& t) { every_fields(t, every, "evaluations"); },
      "when the center is evaluated: every 20 s if none is given, and always at the end of a run");
  f.integer("batch", batch, {1, kMostBatch}, "samples evaluated at a time");
  f.integer("threads", threads, {1, kMostThreads},
            "CPU threads of the evaluator, beside the workers'; at most one per core");
}

void CheckpointConfig::fields(config::Fields& f) {
  f.table(
      "every", [this](config::Fields& t) { every_fields(t, every, "checkpoints"); },
      "when a checkpoint is made: every 300 s if none is given, and when a run is cut short");
  f.integer("keep", keep, {0, 1000}, "how many of the last ones stay; 0 = none is made");
  f.flag("best", best, "the center of the lowest test error is kept as best.safetensors");
}

void GuardConfig::fields(config::Fields& f) {
  config::choice(f, "action", action,
                 "when the training loss is lost: nothing, the run ends, or it goes back to the "
                 "last checkpoint, once, with a lower learning rate");
  f.number("spike", spike, {0, 1e6},
           "spreads above its running mean at which a letter's training loss is lost; 0 = only "
           "where it, or the letter, is not finite");
  f.number("rate", rate, {1e-6, 1}, "factor on the learning rate of a run that has gone back");
}

void DebugConfig::fields(config::Fields& f) {
  f.words("fail", fail,
          "faults to inject, as in \"worker 1 throws at step 40\"; docs/faults.md has them all");
}

void ProfileConfig::fields(config::Fields& f) {
  f.numbers(
      "steps", steps, {0, kMostSteps},
      "[A, B]: steps A to B-1 of worker 0 are marked \"profile\" for a profiler (tools/profile)");
}

void Config::fields(config::Fields& f) {
  f.text("name", name, "names the run folder runs/<name>-<n>");
  f.integer("seed", seed, {0, 9.2e18}, "of all random numbers");
  f.table(
      "data", [this](config::Fields& t) { data.fields(t); }, "what is learnt");
  f.table(
      "network", [this](config::Fields& t) { network.fields(t); }, "what learns it");
  f.table(
      "algorithm", [this](config::Fields& t) { algorithm.fields(t); }, "how it learns");
  f.table(
      "workers", [this](config::Fields& t) { workers.fields(t); }, "who learns");
  f.table(
      "center", [this](config::Fields& t) { center.fields(t); }, "the center variable");
  own_tables(f, algorithm);
  f.table(
      "virtual", [this](config::Fields& t) { virtual_time.fields(t); },
      "of center.order = \"virtual\"");
  f.table(
      "stop", [this](config::Fields& t) { stop.fields(t); }, "what ends a run: the first of these");
  f.table(
      "evaluate", [this](config::Fields& t) { evaluate.fields(t); }, "watching the center");
  f.table(
      "checkpoint", [this](config::Fields& t) { checkpoint.fields(t); },
      "what a run that is cut short goes on from");
  f.table(
      "guard", [this](config::Fields& t) { guard.fields(t); }, "against a loss that is lost");
  f.table(
      "debug", [this](config::Fields& t) { debug.fields(t); }, "for tests");
  f.table(
      "profile", [this](config::Fields& t) { profile.fields(t); }, "for profilers");
}

}  // namespace easgd
