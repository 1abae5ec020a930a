/* A stand-in for NVIDIA's library: FAKE_NVML_COUNT GPUs that do nothing, for tests of display and
 * scheduling. Build: cc -shared -fPIC -o libnvidia-ml.so.1 fake_nvml.c
 * FAKE_NVML_USED_i gives bytes in use; FAKE_NVML_LOST_i makes GPU i answer as one that is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } rates_t;

static int count(void) { const char *n = getenv("FAKE_NVML_COUNT"); return n ? atoi(n) : 1; }
static const char *of(const char *name, long i) {
    char key[64];
    snprintf(key, sizeof key, "FAKE_NVML_%s_%ld", name, i);
    return getenv(key);
}
#define LOST(d) if (of("LOST", (long)(d) - 1)) return 15

int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned int flags) { (void)flags; return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : "an error"; }
int nvmlDeviceGetCount_v2(unsigned int *n) { *n = count(); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **d) { *d = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetName(void *d, char *text, unsigned int size) {
    LOST(d);
    snprintf(text, size, "FAKE GPU (test double)");
    return 0;
}
int nvmlDeviceGetUUID(void *d, char *text, unsigned int size) {
    LOST(d);
    snprintf(text, size, "GPU-fake-%ld", (long)d - 1);
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *d, memory_t *m) {
    LOST(d);
    const char *used = of("USED", (long)d - 1);
    m->total = 24ULL << 30;
    m->used = used ? strtoull(used, 0, 10) : 0;
    m->free = m->total - m->used;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *d, rates_t *r) { LOST(d); r->gpu = 7; r->memory = 1; return 0; }
