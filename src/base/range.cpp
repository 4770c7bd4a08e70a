#include "base/range.h"

#include <pthread.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#define EASGD_NVTX
#include <nvtx3/nvToolsExt.h>
#include <unistd.h>
#endif

namespace easgd {
namespace {

void name_for_system(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

#ifdef EASGD_NVTX

namespace {

nvtxDomainHandle_t domain() {
  static const nvtxDomainHandle_t kDomain = nvtxDomainCreateA("easgd");
  return kDomain;
}

}  // namespace

bool has_ranges() {
  return true;
}

void name_thread(const std::string& name) {
  name_for_system(name);
  domain();  // NVTX sets itself up with its first call, and two first calls at once would race
  nvtxNameOsThreadA(std::uint32_t(gettid()), name.c_str());
}

Range::Range(const char* name) {
  nvtxEventAttributes_t event{};
  event.version = NVTX_VERSION;
  event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  event.messageType = NVTX_MESSAGE_TYPE_ASCII;
  event.message.ascii = name;
  nvtxDomainRangePushEx(domain(), &event);
}

Range::~Range() {
  nvtxDomainRangePop(domain());
}

#else

bool has_ranges() {
  return false;
}
void name_thread(const std::string& name) {
  name_for_system(name);
}
Range::Range(const char*) {}
Range::~Range() = default;

#endif

}  // namespace easgd
