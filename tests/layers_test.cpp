// Is the backward pass of every layer the derivative of its forward pass, and the forward pass
// right? Asked of every backend that runs here and of every registered layer.
#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <sstream>

#include "backend/backend_kind.h"
#include "backend/cuda_library.h"
#include "base/error.h"
#include "kernels/fft_conv2d.h"
#include "network_spec.h"
#include "random_batch.h"
#include "reference_network.h"
#include "relative.h"

namespace easgd::testing {
namespace {

constexpr std::uint64_t kSeed = 11;

struct Case {
  Shape input;
  int classes;
  std::size_t batch;
  const char* layers;
  int through_fft = 0;  ///< convolutions big enough for kernels::FftConv2d
};

// Odd sizes, channels that fill no vector, strides, padding, windows that overlap or leave pixels
// out, layers as first and as last, fused and alone. The first layer's gradient tests every later
// layer's gradient with regard to its input.
const Case kCases[] = {
    {{5, 1, 1}, 4, 3, "linear outputs=4"},
    {{2, 3, 5}, 4, 3, "linear outputs=9; relu; linear outputs=4"},
    {{7, 1, 1}, 3, 1, "linear outputs=9; tanh; linear outputs=3"},
    {{7, 1, 1}, 3, 4, "linear outputs=9; relu; tanh; relu; dropout rate=0.2; linear outputs=3"},
    {{3, 9, 9}, 4, 3, "conv channels=5 kernel=5; relu; maxpool; linear outputs=4"},
    {{3, 9, 7}, 4, 2, "conv channels=5 kernel=3 stride=2 pad=1; relu; linear outputs=4"},
    {{1, 8, 8},
     3,
     5,
     "conv channels=3 kernel=2 stride=3; tanh; conv channels=9 kernel=2; linear outputs=3"},
    {{3, 10, 10},
     4,
     8,
     "conv channels=16 kernel=3; maxpool; relu; conv channels=8 kernel=3 pad=2; "
     "maxpool kernel=3 stride=2; linear outputs=4"},
    {{8, 7, 9},
     4,
     9,
     "conv channels=16 kernel=5 pad=2; relu; conv channels=24 kernel=3; relu; "
     "dropout rate=0.5; conv channels=8 kernel=3; linear outputs=4"},
    {{2, 7, 7},
     4,
     2,
     "conv channels=10 kernel=2; maxpool kernel=3 stride=1; conv channels=4 kernel=1; "
     "avgpool kernel=2 stride=2; linear outputs=4"},
    {{2, 9, 8},
     3,
     2,
     "conv channels=6 kernel=3; avgpool kernel=3 stride=2; tanh; linear outputs=3"},
    {{2, 9, 8},
     3,
     2,
     "maxpool kernel=2 stride=1; conv channels=6 kernel=3; maxpool kernel=2 stride=3; "
     "linear outputs=3"},
    {{3, 6, 6}, 3, 3, "relu; dropout rate=0.3; avgpool; tanh; linear outputs=3"},
    {{6, 5, 5},
     4,
     4,
     "dropout rate=0.5; conv channels=5 kernel=3; dropout rate=0.4; relu; "
     "linear outputs=7; relu; dropout rate=0.3; linear outputs=4"},
    {{3, 20, 20},
     5,
     2,
     "conv channels=8 kernel=5; relu; maxpool; conv channels=16 kernel=3; relu; "
     "maxpool; conv channels=8 kernel=3; relu; dropout rate=0.5; linear outputs=16; "
     "relu; dropout rate=0.5; linear outputs=5"},
    {{3, 5, 5},
     4,
     16,
     "conv channels=16 kernel=1; tanh; conv channels=16 kernel=5 pad=3; maxpool; tanh; "
     "dropout rate=0.4; linear outputs=4",
     1},
    {{16, 5, 5},
     3,
     16,
     "conv channels=16 kernel=7 pad=3; relu; avgpool; dropout rate=0.3; linear outputs=3",
     1},
    {{16, 5, 5},
     3,
     16,
     "conv channels=16 kernel=5 pad=3; tanh; dropout rate=0.3; conv channels=6 kernel=3; relu; "
     "linear outputs=3",
     1},
    {{16, 5, 5},
     3,
     16,
     "conv channels=16 kernel=5 pad=3; conv channels=6 kernel=3; relu; linear outputs=3",
     1},
};

// Windows that reach into padding, in every layout; kernels with two sides; groups of channels, as
// many as there are, some, and of one channel more than a vector has; values that are no powers of
// two. Layers without a bias.
const Case kModernCases[] = {
    {{3, 9, 7},
     4,
     3,
     "conv channels=8 kernel=3; maxpool kernel=3 stride=2 pad=1; linear outputs=4"},
    {{3, 9, 7},
     4,
     3,
     "conv channels=5 kernel=3; relu; maxpool kernel=3x2 stride=1x2 pad=1x0; conv channels=6 "
     "kernel=2; avgpool kernel=3 stride=2 pad=1; tanh; linear outputs=4"},
    {{16, 5, 5},
     3,
     16,
     "conv channels=16 kernel=5 pad=3; maxpool kernel=3 stride=1 pad=1; avgpool kernel=2 stride=2 "
     "pad=1; linear outputs=3",
     1},
    {{3, 12, 11},
     4,
     2,
     "conv channels=8 kernel=7 stride=2 pad=3; batchnorm; relu; maxpool kernel=3 stride=2 pad=1; "
     "bottleneck channels=16 stride=2; bottleneck channels=16; global_avgpool; linear outputs=4"},
    {{3, 7, 9},
     4,
     3,
     "conv channels=5 kernel=1x3 pad=0x1; conv channels=4 kernel=3x1 stride=2x1; "
     "relu; linear outputs=4"},
    {{3, 8, 8},
     4,
     3,
     "conv channels=8 kernel=3 pad=1; conv channels=8 kernel=3 pad=1 groups=8; silu; conv "
     "channels=12 kernel=1 use_bias=0; global_avgpool; linear outputs=4 use_bias=0"},
    {{6, 7, 6},
     4,
     3,
     "conv channels=9 kernel=3 groups=3; gelu; conv channels=18 kernel=3 stride=2 pad=1 groups=9 "
     "use_bias=0; relu; linear outputs=4"},
    {{34, 6, 5},
     3,
     2,
     "conv channels=34 kernel=3x2 groups=2; relu; conv channels=17 kernel=1 groups=17; linear "
     "outputs=3"},
    {{16, 8, 8},
     3,
     4,
     "conv channels=32 kernel=3 pad=1 groups=2; batchnorm; silu; conv channels=32 kernel=5 pad=2 "
     "groups=32 use_bias=0; batchnorm; gelu; linear outputs=3"},
    {{9, 1, 1},
     4,
     3,
     "linear outputs=9 use_bias=0; gelu; linear outputs=7 use_bias=0; relu; "
     "linear outputs=4"},
    {{3, 4, 4}, 4, 3, "silu; linear outputs=9; gelu; add with=linear2; silu; linear outputs=4"},
    {{5, 6, 4}, 4, 3, "global_avgpool; gelu; linear outputs=4"},
    {{5, 1, 1}, 7, 6, "linear outputs=7; softmax_cross_entropy label_smoothing=0.2"},
};

// Batch normalisation, alone and before a ReLU, behind each kind of layer and in each layout;
// values that several layers take; sums of values that nothing else takes, of the images, of
// themselves.
const Case kBranchedCases[] = {
    {{6, 1, 1}, 4, 3, "linear outputs=9; tanh; linear outputs=9; add with=tanh2; linear outputs=4"},
    {{3, 4, 4},
     4,
     3,
     "conv channels=5 kernel=1; tanh; linear outputs=9; linear outputs=9 from=tanh2; "
     "add with=linear3; linear outputs=4"},
    {{3, 7, 7}, 4, 5, "conv channels=5 kernel=3 use_bias=0; batchnorm; relu; linear outputs=4"},
    {{3, 7, 7},
     4,
     5,
     "batchnorm epsilon=0.1; conv channels=8 kernel=3; batchnorm; tanh; linear outputs=4"},
    {{6, 1, 1},
     4,
     7,
     "linear outputs=9; batchnorm; relu; linear outputs=5; batchnorm; linear outputs=4"},
    {{16, 7, 9},
     3,
     5,
     "conv channels=32 kernel=3 pad=1; batchnorm; relu; conv channels=16 kernel=3 use_bias=0; "
     "batchnorm; tanh; conv channels=16 kernel=3; relu; batchnorm; linear outputs=3"},
    {{16, 16, 16},
     3,
     5,
     "conv channels=32 kernel=3 stride=2 pad=1 use_bias=0; batchnorm; relu; conv channels=16 "
     "kernel=3 stride=2 pad=1; relu; linear outputs=3"},
    {{16, 8, 8},
     3,
     4,
     "residual channels=32 stride=2; residual channels=32; avgpool kernel=4; linear outputs=3"},
    {{16, 5, 5},
     3,
     16,
     "conv channels=16 kernel=5 pad=3; batchnorm; relu; dropout rate=0.3; linear outputs=3",
     1},
    {{3, 8, 8}, 4, 4, "conv channels=6 kernel=3 pad=1; residual channels=6; linear outputs=4"},
    {{3, 8, 8},
     4,
     4,
     "residual channels=10 stride=2; residual channels=10; avgpool kernel=4; linear outputs=4"},
    {{4, 6, 6}, 3, 3, "conv channels=4 kernel=3 pad=1; add with=conv1; tanh; linear outputs=3"},
    {{4, 6, 6},
     3,
     3,
     "conv channels=4 kernel=3 pad=1; conv channels=4 kernel=3 pad=1; add with=conv1; "
     "add with=conv1; linear outputs=3"},
    {{4, 6, 6},
     3,
     3,
     "conv channels=4 kernel=3 pad=1; relu; add with=images; tanh; add with=relu2; relu; "
     "maxpool; linear outputs=3"},
    {{4, 6, 6},
     3,
     3,
     "conv channels=4 kernel=3 pad=1; add with=conv1; relu; conv channels=4 kernel=1 from=conv1; "
     "relu; maxpool kernel=1 stride=1; add with=relu3; conv channels=5 kernel=3; relu; "
     "dropout rate=0.4; linear outputs=3"},
    {{2, 6, 6},
     3,
     2,
     "relu; maxpool kernel=3 stride=1; conv channels=2 kernel=3 from=relu1; add with=maxpool2; "
     "linear outputs=3"},
};

int count_through_fft(const Network& network, std::size_t batch) {
  int count = 0;
  for (const Stage& stage : network.stages()) {
    const auto* conv = dynamic_cast<const Conv2d*>(stage.layer.get());
    if (!conv || !conv->is_plain() || conv->stride.height != 1 || !conv->use_bias) continue;
    const Shape in = stage.input;
    count += kernels::FftConv2d::worth_it({int(batch), in.channels, in.height, in.width,
                                           stage.output.channels, int(conv->kernel.height),
                                           int(conv->kernel.width), int(conv->pad.height)});
  }
  return count;
}

/// The backends that work on this machine, and the CPU with batches in three pieces.
std::vector<std::unique_ptr<Backend>> backends() {
  std::vector<std::unique_ptr<Backend>> all;
  try {
    load_cuda();
  } catch (const DeviceError& e) {
    MESSAGE("without CUDA: " << std::string(e.what()));
  }
  for (const std::string& name : Registry<BackendKind>::names()) {
    try {
      all.push_back(make_backend(name));
    } catch (const DeviceError& e) {
      MESSAGE("without " << name << ": " << std::string(e.what()));
    }
  }
  all.push_back(make_backend("cpu", {.threads = 3}));
  return all;
}

/// Derivatives of the mean loss at some parameters of each tensor, and their places.
struct Slopes {
  std::vector<std::size_t> place;
  Doubles value;
};

Slopes reference_slopes(const Network& network, const std::vector<float>& x, const Batch& batch) {
  constexpr double kStep = 1e-5;
  constexpr std::size_t kPerTensor = 12;
  Doubles at(x.begin(), x.end());
  const auto loss = [&](std::size_t i, double step) {
    const double old = std::exchange(at[i], at[i] + step);
    const double value = reference_loss(network, at, batch, true, kSeed);
    at[i] = old;
    return value / double(batch.size());
  };
  const double here = loss(0, 0);
  Slopes slopes;
  for (const Slice& slice : network.slices()) {
    const std::size_t stride = std::max<std::size_t>(1, slice.count / kPerTensor);
    for (std::size_t i = slice.offset; i < slice.offset + slice.count; i += stride) {
      const double up = (loss(i, kStep) - here) / kStep, down = (here - loss(i, -kStep)) / kStep;
      if (std::abs(up - down) > 1e-3) continue;  // a kink
      slopes.place.push_back(i);
      slopes.value.push_back((up + down) / 2);
    }
  }
  return slopes;
}

/// Of the softmax of scores [N][K].
double loss_of(const std::vector<float>& scores, const std::vector<std::int32_t>& labels) {
  const std::size_t classes = scores.size() / labels.size();
  double loss = 0;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += std::exp(double(scores[n * classes + k]));
    loss += std::log(sum) - double(scores[n * classes + std::size_t(labels[n])]);
  }
  return loss;
}

void check_case(Backend& backend, const Case& c) {
  CAPTURE(std::string(c.layers));
  const Network network = make_network(c.input, c.classes, c.layers);
  const RandomBatch data(network, c.batch);
  const std::vector<float> start = random_parameters(network);
  const Buffer state = backend.allocate(start.size());
  const Buffer g = backend.allocate(network.parameter_count());
  backend.upload(start, state);
  const ConstView x = state.view().first(g.size());
  // Gradients are written, not added to.
  std::vector<float> gradient(g.size(), 1e6f);
  backend.upload(gradient, g);

  const auto model = backend.compile(network, {.batch = c.batch, .seed = kSeed});
  model->gradient(x, data.batch, g, {});
  backend.finish();
  const Tally trained = model->take_tally();
  model->evaluate(state, data.batch);
  backend.finish();
  const Tally evaluated = model->take_tally();
  backend.download(g, gradient);
  std::vector<float> scores(c.batch * std::size_t(c.classes));
  model->score(state, data.batch, scores);

  const Doubles at(start.begin(), start.end());
  CHECK(relative_difference(trained.loss, reference_loss(network, at, data.batch, true, kSeed)) <
        1e-5);
  CHECK(relative_difference(evaluated.loss, reference_loss(network, at, data.batch, false, kSeed)) <
        1e-5);
  CHECK(relative_difference(loss_of(scores, data.labels), evaluated.loss) < 1e-5);
  CHECK(model->take_tally().samples == 0);
  CHECK(trained.samples == std::int64_t(c.batch));
  // A model that only evaluates shares memory between layers.
  const auto evaluating = backend.compile(network, {.batch = c.batch, .training = false});
  std::vector<float> its_scores(scores.size());
  evaluating->score(state, data.batch, its_scores);
  evaluating->evaluate(state, data.batch);
  backend.finish();
  CHECK(relative_difference(evaluating->take_tally().loss, evaluated.loss) < 1e-6);
  CHECK(relative_difference(loss_of(its_scores, data.labels), evaluated.loss) < 1e-5);

  const Slopes slopes = reference_slopes(network, start, data.batch);
  CHECK(slopes.place.size() > 10);
  double largest = 0, worst = 0;
  for (const double s : slopes.value) largest = std::max(largest, std::abs(s));
  for (std::size_t i = 0; i < slopes.place.size(); ++i) {
    worst = std::max(worst, std::abs(slopes.value[i] - double(gradient[slopes.place[i]])));
  }
  CHECK(worst <= 1e-5 + 1e-4 * largest);
}

TEST_CASE("layers: as many convolutions of the cases go through FFT as they say") {
  for (const std::span<const Case> cases : {std::span<const Case>(kCases), {kModernCases}}) {
    for (const Case& c : cases) {
      CAPTURE(std::string(c.layers));
      CHECK(count_through_fft(make_network(c.input, c.classes, c.layers), c.batch) ==
            c.through_fft);
    }
  }
}

TEST_CASE("layers: loss and gradient are those of the formulas in double") {
  for (const auto& backend : backends()) {
    CAPTURE(backend->device());
    for (const Case& c : kCases) check_case(*backend, c);
    for (const Case& c : kModernCases) check_case(*backend, c);
    for (const Case& c : kBranchedCases) check_case(*backend, c);
  }
}

struct Computed {
  double loss = 0;
  std::vector<float> gradient;
};

Computed compute(Backend& backend, const Case& c, const char* precision, bool with_nan = false) {
  const Network network = make_network(c.input, c.classes, c.layers);
  std::vector<float> start = random_parameters(network);
  if (with_nan) start[0] = std::nanf("");
  const RandomBatch data(network, c.batch);
  const Buffer state = backend.allocate(network.state_count());
  const Buffer g = backend.allocate(network.parameter_count());
  backend.upload(start, state);
  const auto model =
      backend.compile(network, {.batch = c.batch, .precision = precision, .seed = kSeed});
  model->gradient(state.view().first(g.size()), data.batch, g, {});
  backend.finish();
  Computed result{model->take_tally().loss, std::vector<float>(g.size())};
  backend.download(g, result.gradient);
  return result;
}

/// |a - b| / |b|
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double apart = 0, length = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
    length += double(b[i]) * double(b[i]);
  }
  return std::sqrt(apart / length);
}

TEST_CASE("layers: in rounded precisions loss and gradient are near those in float32") {
  for (const auto& backend : backends()) {
    if (backend->device() == "cpu") continue;  // model_test has it
    for (const std::span<const Case> cases :
         {std::span<const Case>(kCases), {kModernCases}, {kBranchedCases}}) {
      for (const Case& c : cases) {
        CAPTURE(std::string(c.layers));
        const Computed exact = compute(*backend, c, "f32");
        const Computed tf32 = compute(*backend, c, "tf32"), bf16 = compute(*backend, c, "bf16");
        CHECK(relative_difference(tf32.loss, exact.loss) < 2e-3);
        CHECK(distance(tf32.gradient, exact.gradient) < 3e-2);
        CHECK(relative_difference(bf16.loss, exact.loss) < 2e-2);
        CHECK(distance(bf16.gradient, exact.gradient) < 0.15);
      }
    }
  }
}

TEST_CASE("layers: a device tells a weight that is no number by the loss, whatever it fuses") {
  const Case cases[] = {
      {{3, 9, 9}, 4, 3, "conv channels=5 kernel=5; relu; linear outputs=4"},
      {{3, 9, 9},
       4,
       3,
       "conv channels=8 kernel=3; relu; conv channels=8 kernel=3; relu"
       "; linear outputs=4"},
      {{7, 1, 1}, 3, 4, "linear outputs=9; relu; linear outputs=3"},
      {{3, 8, 8}, 4, 4, "conv channels=6 kernel=3; batchnorm; relu; linear outputs=4"},
  };
  for (const auto& backend : backends()) {
    if (backend->device() == "cpu") continue;  // oneDNN's ReLU makes 0 of a NaN
    for (const char* precision : {"f32", "tf32", "bf16"}) {
      CAPTURE(std::string(precision));
      for (const Case& c : cases) {
        CAPTURE(std::string(c.layers));
        CHECK(!std::isnan(compute(*backend, c, precision).loss));
        CHECK(std::isnan(compute(*backend, c, precision, true).loss));
      }
    }
  }
}

/// Running statistics after gradients at x are their exponential average; after `observe` with
/// weight 1 they are the batch's, without dropout.
void check_statistics(Backend& backend, const Case& c) {
  CAPTURE(std::string(c.layers));
  const Network network = make_network(c.input, c.classes, c.layers);
  const RandomBatch data(network, c.batch);
  const std::vector<float> start = random_parameters(network);
  const std::size_t parameters = network.parameter_count();
  const Buffer state = backend.allocate(start.size()), g = backend.allocate(parameters);
  backend.upload(start, state);
  const auto model = backend.compile(network, {.batch = c.batch, .seed = kSeed});
  const View x = state.view().first(parameters), statistics = state.view().subspan(parameters);
  std::vector<float> moved(statistics.size()), observed(statistics.size());
  for (int i = 0; i < 2; ++i) model->gradient(x, data.batch, g, statistics);
  backend.finish();
  backend.download(statistics, moved);
  model->take_tally();
  model->observe(x, data.batch, 1, statistics);
  backend.finish();
  backend.download(statistics, observed);
  CHECK(model->take_tally().samples == 0);
  const auto evaluating = backend.compile(network, {.batch = c.batch, .training = false});
  std::vector<float> observed_again(statistics.size());
  evaluating->observe(x, data.batch, 1, statistics);
  backend.finish();
  backend.download(statistics, observed_again);
  CHECK(distance(observed_again, observed) < 1e-6);

  const Doubles at(start.begin(), start.end());
  const auto outputs = reference_outputs(network, at, data.batch, true, kSeed);
  const std::string calm = std::regex_replace(c.layers, std::regex("rate=[0-9.]+"), "rate=0");
  const auto without_dropout =
      reference_outputs(make_network(c.input, c.classes, calm), at, data.batch, true, kSeed);
  for (const Stage& stage : network.stages()) {
    if (stage.statistics.empty()) continue;
    CAPTURE(stage.layer->name);
    REQUIRE(stage.inputs[0] != Stage::kImages);
    const double momentum = dynamic_cast<const BatchNorm&>(*stage.layer).momentum;
    const std::size_t size = std::size_t(stage.input.height * stage.input.width);
    const double count = double(c.batch * size);
    for (std::size_t channel = 0; channel < std::size_t(stage.input.channels); ++channel) {
      const auto [mean, variance] = channel_moments(outputs[stage.inputs[0]], channel, size);
      const auto calm_moments = channel_moments(without_dropout[stage.inputs[0]], channel, size);
      const double unbiased = count / (count - 1), left = (1 - momentum) * (1 - momentum);
      const double trained[] = {mean, variance * unbiased};
      const double seen[] = {calm_moments.first, calm_moments.second * unbiased};
      for (int k = 0; k < 2; ++k) {
        const std::size_t i = stage.statistics[std::size_t(k)].offset + channel;
        CHECK(double(moved[i - parameters]) ==
              doctest::Approx(left * double(start[i]) + (1 - left) * trained[k]).epsilon(1e-4));
        CHECK(double(observed[i - parameters]) == doctest::Approx(seen[k]).epsilon(1e-4));
      }
    }
  }
}

TEST_CASE("layers: running statistics follow the batches' moments") {
  for (const auto& backend : backends()) {
    CAPTURE(backend->device());
    check_statistics(*backend, {{3, 8, 8},
                                4,
                                4,
                                "conv channels=6 kernel=3 pad=1; batchnorm momentum=0.3; "
                                "residual channels=8 stride=2; linear outputs=4"});
    check_statistics(
        *backend,
        {{6, 1, 1}, 4, 7, "linear outputs=9; dropout rate=0.5; batchnorm; relu; linear outputs=4"});
  }
}

TEST_CASE("layers: every registered layer is in the cases above and has a reference") {
  std::set<std::string> written = {"softmax_cross_entropy"}, stages;
  const auto see = [&](const Case& c) {
    std::istringstream layers(c.layers);
    for (std::string layer, kind; std::getline(layers, layer, ';');) {
      std::istringstream(layer) >> kind;
      written.insert(kind);
    }
    const Network network = make_network(c.input, c.classes, c.layers);
    for (const Stage& stage : network.stages()) stages.insert(stage.layer->kind());
  };
  for (const Case& c : kCases) see(c);
  for (const Case& c : kModernCases) see(c);
  for (const Case& c : kBranchedCases) see(c);
  for (const std::string& kind : Registry<LayerEntry>::names()) {
    CAPTURE(kind);
    CHECK(written.contains(kind));
  }
  for (const std::string& kind : stages) {  // a layer made of others is none
    CAPTURE(kind);
    CHECK((reference_layers().contains(kind) || reference_batch_layers().contains(kind)));
  }
}

}  // namespace
}  // namespace easgd::testing
