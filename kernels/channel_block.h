// What a block of threads does for a sum of channels (channel_sums.h): the body of the only kernel
// that has barriers of its own. kernels/launch.cu runs it on a device, tests/emulated_block.h on
// the host.
#pragma once

#include "kernels/channel_sums.h"

#ifdef __CUDACC__
#define EASGD_DEVICE __device__
#else
#define EASGD_DEVICE
#endif

namespace easgd::kernels {

/// `Block` is what a thread sees of its block:
///
///   group(), part(), thread()   which block of the grid, and which thread in it
///   sums()                      [kThreads] that the block shares
///   last()                      a bool that it shares
///   wait()                      until all its threads have come here
///   publish()                   what this thread has written before is seen by other blocks before
///                               what it writes after
///   count_up(counter, most)     adds 1 for all blocks at once, from `most` to 0; gives what was
///                               there
///
/// The block's sums end in those of the first lane.
template <class Block>
EASGD_DEVICE void add_up(Block& block, const ReductionLayout& reduction, const Sums& found) {
  block.sums()[block.thread()] = found;
  for (Index half = reduction.lanes() / 2; half > 0; half /= 2) {
    block.wait();
    fold(block.sums(), reduction, half, block.thread());
  }
}

/// Blocks [groups][parts] may run in any order or side by side, and so may a block's threads
/// between two barriers.
template <class Block, class Formula>
EASGD_DEVICE void sum_channels_of(Block& block, const Formula& formula,
                                  const ReductionLayout& reduction, const SumsScratch& scratch) {
  const Index group = block.group(), thread = block.thread();
  add_up(block, reduction, sum_rows(formula, reduction, group, block.part(), thread));
  const bool first = thread < reduction.width;  // of the lanes: it has written what it reads now
  if (first) {
    scratch.partial[reduction.partial_index(group, block.part()) + thread] = block.sums()[thread];
    block.publish();
  }
  block.wait();
  const Index others = reduction.parts - 1;
  if (thread == 0) block.last() = block.count_up(scratch.finished + group, others) == others;
  block.wait();
  if (!block.last()) return;
  block.publish();
  add_up(block, reduction, sum_parts(scratch.partial, reduction, group, thread));
  const Index channel = reduction.channel(group, thread);
  if (first && reduction.has(channel)) formula.finish(channel, block.sums()[thread]);
}

}  // namespace easgd::kernels
