#include "report/page.h"

#include <array>
#include <fstream>

#include "base/check.h"
#include "report/page_data.h"
#include "report/page_source.h"

namespace easgd::report {
namespace {

/// Stands near the beginning of every page.
constexpr std::string_view kMark = "easgd report";
constexpr std::size_t kMarkWithin = 400;  // bytes

void put(std::string& page, std::string_view place, const std::string& text) {
  const std::size_t at = page.find(place);
  EASGD_CHECK(at != std::string::npos, "page.html has no {}", place);
  page.replace(at, place.size(), text);
}

}  // namespace

std::string page_of(const Study& study) {
  const PageData data = page_data_of(study);
  std::string page(kPageSource);
  // From the end: data may hold a place's name.
  put(page, "@CURVES@", data.curves);
  put(page, "@STUDY@", data.study);
  return page;
}

bool is_own_page(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::array<char, kMarkWithin> begin{};
  stream.read(begin.data(), begin.size());
  return std::string_view(begin.data(), std::size_t(stream.gcount())).find(kMark) !=
         std::string_view::npos;
}

}  // namespace easgd::report
