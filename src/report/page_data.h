// What the page's script draws, as JSON.
#pragma once

#include <string>

#include "report/study.h"

namespace easgd::report {

/// Both may stand in a <script> element as they are.
struct PageData {
  std::string study;   ///< runs, axes, groups, comparisons: what every part of the page needs
  std::string curves;  ///< parsed when the first curve comes into sight
};

PageData page_data_of(const Study& study);

}  // namespace easgd::report
