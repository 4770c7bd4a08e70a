// The largest numbers that a configuration may have, where several rooms must agree. A limit that
// belongs to one format or one library stands in the file that reads it.
#pragma once

#include <cstddef>

namespace easgd {

/// order.bin and the master count workers in 16 bits. Two more numbers have meanings: the batches
/// of an evaluation are those of a worker that no run has, and 0xffff ends an order.bin.
constexpr std::size_t kMostWorkers = 65533;
/// Workers that "auto" makes on the CPU.
constexpr std::size_t kMostAutoWorkers = 16;
/// More than any machine has cores: "auto" finds them all.
constexpr double kMostThreads = 65536;

constexpr double kMostSteps = 1e12;   // of one worker, and letters that the center absorbs
constexpr double kMostPeriod = 1e9;   // steps, or letters, between two exchanges
constexpr double kMostSamples = 1e9;  // of a data set
constexpr double kMostBatch = 65536;
constexpr double kMostChannels = 65536;
constexpr double kLongestSide = 4096;  // of a crop and its border, in pixels

}  // namespace easgd
