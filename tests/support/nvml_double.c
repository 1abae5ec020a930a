/* Stands in for NVIDIA's library in the tests of app.gpu. Environment, read at every call
   (i = the number NVML gives): DOUBLE_COUNT, DOUBLE_INIT (code of nvmlInit), DOUBLE_LOST_i,
   DOUBLE_BUS_i (PCI bus number), DOUBLE_USED_i (bytes, or a file that holds them), DOUBLE_WATTS_i, DOUBLE_PID_i,
   DOUBLE_NAME_i, DOUBLE_LOAD_i (percent), DOUBLE_CELSIUS_i.
   What is not here answers as on an old driver: function not found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Rates;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;
typedef struct { char old[16]; unsigned domain, bus, device, pci, subsystem; char id[32]; } Pci;

static const char *of(const char *name, void *d) {
    char key[64];
    snprintf(key, sizeof key, "DOUBLE_%s_%ld", name, (long)d - 1);
    return getenv(key);
}
static int whole(const char *name, int otherwise) { const char *t = getenv(name); return t ? atoi(t) : otherwise; }
static int lost(void *d) { return of("LOST", d) ? 15 : 0; }

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (getenv("DOUBLE_TELL")) fputs("init\n", stderr);
    return whole("DOUBLE_INIT", 0);
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : code == 15 ? "GPU is lost" : "an error"; }
int nvmlDeviceGetCount_v2(unsigned *out) { *out = whole("DOUBLE_COUNT", 2); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **out) { *out = (void *)(long)(i + 1); return of("NO_HANDLE", *out) ? 15 : 0; }
int nvmlDeviceGetName(void *d, char *out, unsigned size) {
    const char *name = of("NAME", d);
    if (name) snprintf(out, size, "%s", name);
    else snprintf(out, size, "FAKE GPU %ld (test double)", (long)d - 1);
    return lost(d);
}
int nvmlDeviceGetUUID(void *d, char *out, unsigned size) { snprintf(out, size, "GPU-fake-%ld", (long)d - 1); return lost(d); }
int nvmlDeviceGetMemoryInfo(void *d, Memory *out) {
    const char *used = of("USED", d);
    char text[32] = "0";
    if (used && *used == '/') {
        FILE *file = fopen(used, "r");
        if (file) { if (!fgets(text, sizeof text, file)) text[0] = 0; fclose(file); }
        used = text;
    }
    out->total = 24ull << 30;
    out->used = used ? strtoull(used, 0, 10) : 0;
    out->free = out->total - out->used;
    return lost(d);
}
int nvmlDeviceGetUtilizationRates(void *d, Rates *out) {
    const char *load = of("LOAD", d);
    out->gpu = load ? atoi(load) : 7;
    out->memory = 1;
    return lost(d);
}
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *out) {
    const char *warm = of("CELSIUS", d);
    (void)sensor;
    *out = warm ? atoi(warm) : 40;
    return lost(d);
}
int nvmlDeviceGetPowerUsage(void *d, unsigned *out) {
    const char *watts = of("WATTS", d);
    if (!watts) return 3; /* not supported */
    *out = 1000 * atoi(watts);
    return lost(d);
}
int nvmlDeviceGetPciInfo_v3(void *d, Pci *out) {
    const char *bus = of("BUS", d);
    memset(out, 0, sizeof *out);
    if (!bus) return 3;
    out->bus = atoi(bus);
    snprintf(out->id, sizeof out->id, "00000000:%02X:00.0", out->bus);
    return lost(d);
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *size, Process *out) {
    const char *pid = of("PID", d);
    if (lost(d)) return 15;
    if (pid && (!out || *size < 1)) { *size = 1; return 7; }
    *size = pid ? 1 : 0;
    if (pid) out[0] = (Process){atoi(pid), 1ull << 30, 0xffffffffu, 0xffffffffu};
    return 0;
}
