#include "data/search_root.h"

#include <cstdlib>

namespace easgd {

SearchRoot choose_root(const std::string& dir, const char* option) {
  if (!dir.empty()) return {dir, option};
  const std::string variable = data_variable();
  if (!variable.empty()) return {variable, "$EASGD_DATA"};
  return {"data", ""};
}

std::string data_variable() {
  const char* variable = std::getenv("EASGD_DATA");
  return variable ? variable : "";
}

}  // namespace easgd
