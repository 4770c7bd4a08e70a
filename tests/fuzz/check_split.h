// What holds of every data set that was read.
#pragma once

#include "data/dataset.h"
#include "target.h"

namespace easgd::testing {

inline void check_split(const DataSplit& split) {
  for (const Dataset* half : {split.train.get(), split.test.get()}) {
    Scratch scratch;
    expect(half->size() > 0, "it has pictures");
    expect(half->shape().size() > 0, "pictures have pixels");
    for (std::size_t i = 0; i < half->size(); ++i) {
      expect(half->label(i) >= 0 && half->label(i) < half->classes(), "labels are classes");
      expect(half->image(i, scratch).pixels.size() == std::size_t(half->shape().size()),
             "pictures are whole");
    }
  }
}

}  // namespace easgd::testing
