#include "backend/cpu/cpu_model.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "backend/cpu/precision.h"
#include "base/trace.h"
#include "nn/conv2d.h"

namespace easgd::cpu {

/// Few enough that what is between two layers stays in the cache. But every piece reads all
/// weights, which pays if a channel has outputs enough, and in a convolution through the Fourier
/// transform (see FftConv2d) samples are what vectors are made of.
std::size_t CpuModel::samples_of_piece(const Network& network) {
  constexpr std::size_t kOutputs = 1024, kCachedWeights = 1 << 14;
  std::size_t samples = kFewestSamples;
  for (const Stage& stage : network.stages()) {
    if (stage.slices.empty() || stage.slices[0].count <= kCachedWeights) continue;
    const auto* conv = dynamic_cast<const Conv2d*>(stage.layer.get());
    const bool may_be_fft = conv && conv->is_plain() && conv->stride.height == 1;
    if (may_be_fft && conv->kernel.height > 3) return kMostSamples;
    const std::size_t outputs = std::size_t(stage.output.height) * std::size_t(stage.output.width);
    samples = std::max(samples, kOutputs / outputs);
  }
  return std::min(samples, kMostSamples);
}

/// Only where there are more threads than pieces of that size do bits depend on their number. Where
/// all samples are an eighth of it they are one piece: with fewer a piece takes about as long, for
/// the weights that it reads, and for lanes of vectors that have no sample.
std::size_t CpuModel::count_pieces(std::size_t batch, std::size_t samples, std::size_t threads) {
  const std::size_t fewest = samples / 8, most = (batch + fewest - 1) / fewest;
  return std::min(most, std::max({std::size_t{1}, batch / samples, threads}));
}

CpuModel::CpuModel(const Network& network, const ModelOptions& options, Crew& crew)
    : batch_(options.batch),
      statistics_(network.statistic_count()),
      training_(options.training),
      crew_(crew) {
  check_precision(options.precision);
  const std::size_t count = count_pieces(batch_, samples_of_piece(network), crew.threads());
  const Cut cut{.pieces = count, .samples = (batch_ + count - 1) / count, .shared = shared_};
  translate_errors([&] {
    for (std::size_t i = 0; i < count; ++i) {
      ModelOptions of_piece = options;
      of_piece.batch = batch_ * (i + 1) / count - batch_ * i / count;
      Part& part =
          parts_.emplace_back(Part{.piece = std::make_unique<Piece>(network, of_piece, cut)});
      if (training_ && i > 0) part.gradient = host_buffer(network.parameter_count());
    }
  });
  for (const auto& [stage, work] : shared_) {
    for (std::size_t i = 0; i < work->preparations(); ++i) preparations_.push_back({work.get(), i});
    for (std::size_t i = 0; i < work->deliveries(); ++i) deliveries_.push_back({work.get(), i});
  }
  for (std::size_t layer = 0; layer < parts_[0].piece->layers(); ++layer) {
    Meeting meeting{.layer = layer, .pieces = {}};
    for (const Part& part : parts_) {
      meeting.pieces.push_back(dynamic_cast<MeetingLayer*>(&part.piece->layer(layer)));
    }
    if (meeting.pieces[0]) meetings_.push_back(std::move(meeting));
  }
}

std::size_t CpuModel::memory() const {
  std::size_t bytes = 0;
  for (const Part& part : parts_) {
    bytes += part.piece->bytes() + part.gradient.size() * sizeof(float);
  }
  for (const auto& [stage, work] : shared_) bytes += work->bytes();
  return bytes;
}

/// Memory grows by the sample, but for what a piece has of the weights; not evenly, so that a piece
/// is made unless it is large.
std::size_t CpuModel::predict_memory(const Network& network, const ModelOptions& options,
                                     int threads) {
  constexpr std::size_t kFew = 16, kMore = 32;          // whole lines of samples
  constexpr std::size_t kLarge = std::size_t{1} << 29;  // bytes
  check_precision(options.precision);
  const std::size_t batch = options.batch;
  const std::size_t count = count_pieces(batch, samples_of_piece(network), std::size_t(threads));
  const std::size_t samples = (batch + count - 1) / count;
  std::size_t shared = 0;
  const auto bytes_of_piece = [&](std::size_t of_piece) {
    SharedWorks works;
    ModelOptions small = options;
    small.batch = of_piece;
    const Piece piece(network, small, {.pieces = count, .samples = samples, .shared = works});
    shared = 0;
    for (const auto& [stage, work] : works) shared += work->bytes();
    return piece.bytes();
  };
  return translate_errors([&] {
    std::size_t of_piece = 0;
    if (samples > kMore) {
      const std::size_t few = bytes_of_piece(kFew), more = bytes_of_piece(kMore);
      of_piece = more + (samples - kMore) * (more - std::min(few, more)) / (kMore - kFew);
    }
    if (of_piece < kLarge) of_piece = bytes_of_piece(samples);
    const std::size_t bytes = count * of_piece;
    const std::size_t gradients = options.training ? count - 1 : 0;
    return bytes + shared + gradients * network.parameter_count() * sizeof(float);
  });
}

/// Returns how many pieces the batch fills, the last one perhaps in part.
std::size_t CpuModel::begin(const PassArguments& arguments, const Batch& batch, View scores) {
  prepare_shared(arguments.x);
  const std::size_t image = batch.size() > 0 ? batch.images.size() / batch.size() : 0;
  const std::size_t classes = batch.size() > 0 ? scores.size() / batch.size() : 0;
  std::size_t first = 0, count = 0;
  for (; count < parts_.size() && first < batch.size(); ++count) {
    Part& part = parts_[count];
    const std::size_t samples = std::min(part.piece->samples(), batch.size() - first);
    static_cast<PassArguments&>(part.pass) = arguments;
    if (count > 0 && !arguments.g.empty()) part.pass.g = part.gradient;
    part.pass.batch = batch;
    part.pass.batch.images = batch.images.subspan(first * image, samples * image);
    part.pass.batch.labels = batch.labels.subspan(first, samples);
    part.pass.scores = scores.subspan(first * classes, samples * classes);
    part.pass.first = first;
    part.pass.samples = batch.size();
    part.piece->bind(part.pass);
    first += samples;
  }
  return count;
}

/// Of the first pieces. Returns the layer with which they go on.
std::size_t CpuModel::forward_to_last_meeting(std::size_t pieces) {
  std::size_t done = 0;
  for (const Meeting& meeting : meetings_) {
    if (!meeting.pieces[0]->meets(parts_[0].pass)) continue;
    crew_.run(pieces, [&](std::size_t i) {
      parts_[i].piece->forward(parts_[i].pass, done, meeting.layer);
      const TraceScope scope(meeting.pieces[i]->names().forward.c_str());
      meeting.pieces[i]->survey_forward(parts_[i].pass);
    });
    meeting.pieces[0]->meet_forward(std::span(meeting.pieces).first(pieces), parts_[0].pass);
    done = meeting.layer;
  }
  return done;
}

void CpuModel::survey_backward(const Meeting& meeting, std::size_t piece) {
  const TraceScope scope(meeting.pieces[piece]->names().backward.c_str());
  meeting.pieces[piece]->survey_backward(parts_[piece].pass);
}

/// After what lies behind it.
void CpuModel::backward_from_last_meeting() {
  for (std::size_t m = meetings_.size(); m-- > 0;) {
    const Meeting& meeting = meetings_[m];
    meeting.pieces[0]->meet_backward(meeting.pieces, parts_[0].pass);
    const Meeting* before = m > 0 ? &meetings_[m - 1] : nullptr;
    crew_.run(parts_.size(), [&](std::size_t i) {
      const std::size_t end = before ? before->layer + 1 : 0;
      parts_[i].piece->backward(parts_[i].pass, end, meeting.layer + 1);
      if (before) survey_backward(*before, i);
    });
  }
}

void CpuModel::gradient(ConstView x, const Batch& batch, View g, View statistics) {
  assert(training_ && batch.size() == batch_);
  translate_errors([&] {
    begin({.x = x, .g = g, .training = true, .moved = statistics}, batch);
    const std::size_t done = forward_to_last_meeting(parts_.size());
    const Meeting* last = meetings_.empty() ? nullptr : &meetings_.back();
    crew_.run(parts_.size(), [&](std::size_t i) {
      Piece& piece = *parts_[i].piece;
      piece.forward(parts_[i].pass, done, piece.layers());
      piece.backward(parts_[i].pass, last ? last->layer + 1 : 0, piece.layers());
      if (last) survey_backward(*last, i);
    });
    backward_from_last_meeting();
    const TraceScope scope("add gradients");
    add_gradients(g);
    deliver_shared(g);
  });
  take_tallies();
}

void CpuModel::prepare_shared(ConstView x) {
  const TraceScope scope("prepare weights");
  crew_.run(preparations_.size(),
            [&](std::size_t i) { preparations_[i].work->prepare(x, preparations_[i].task); });
}

void CpuModel::deliver_shared(View g) {
  crew_.run(deliveries_.size(),
            [&](std::size_t i) { deliveries_[i].work->deliver(g, deliveries_[i].task); });
}

/// In the order of the pieces.
void CpuModel::add_gradients(View g) {
  if (parts_.size() == 1) return;
  crew_.run_ranges(g.size(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t part = 1; part < parts_.size(); ++part) {
      const float* addend = parts_[part].gradient.data();
#pragma GCC ivdep
      for (std::size_t i = begin; i < end; ++i) g[i] += addend[i];
    }
  });
}

void CpuModel::forward(ConstView state, const Batch& batch, View scores) {
  assert(batch.size() <= batch_);
  const std::size_t parameters = state.size() - statistics_;
  translate_errors([&] {
    const std::size_t count =
        begin({.x = state.first(parameters), .fixed = state.subspan(parameters)}, batch, scores);
    const std::size_t done = forward_to_last_meeting(count);
    crew_.run(count, [&](std::size_t i) {
      parts_[i].piece->forward(parts_[i].pass, done, parts_[i].piece->layers());
    });
  });
}

void CpuModel::evaluate(ConstView state, const Batch& batch) {
  forward(state, batch);
  take_tallies();
}

void CpuModel::score(ConstView state, const Batch& batch, View scores) {
  forward(state, batch, scores);
  for (Part& part : parts_) part.pass.tally = {};
}

void CpuModel::observe(ConstView x, const Batch& batch, float weight, View statistics) {
  assert(batch.size() == batch_);
  translate_errors([&] {
    begin({.x = x, .moved = statistics, .weight = weight}, batch);
    forward_to_last_meeting(parts_.size());  // nothing is tallied
  });
}

void CpuModel::take_tallies() {
  for (Part& part : parts_) tally_ += std::exchange(part.pass.tally, {});
}

Tally CpuModel::take_tally() {
  return std::exchange(tally_, {});
}

}  // namespace easgd::cpu
