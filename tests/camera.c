/* A camera without hardware: preloaded, it answers for /dev/video0 as a V4L2 driver does.
   The file that CAMERA_FRAMES names holds its frames, 64 x 48 pixels of YUYV each in two pages of memory, and they come
   round and round; like most cameras it knows one format, and gives frames to one at a time who has opened it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WIDTH = 64, HEIGHT = 48, FRAME = WIDTH * HEIGHT * 2, PLACE = 8192, RATE = 10, FILES = 1024, BUFFERS = 32 };

static char is_camera[FILES];
static int streams = -1; /* who is given frames */
static unsigned filled[BUFFERS], first, last, buffers;

static int opened(const char *path, int flags, int mode) {
    static int (*real)(const char *, int, ...);
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    if (strcmp(path, "/dev/video0")) return real(path, flags, mode);
    int fd = real(getenv("CAMERA_FRAMES"), O_RDWR | O_CLOEXEC);
    if (fd >= 0 && fd < FILES) is_camera[fd] = 1;
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        int mode = va_arg(more, int); \
        va_end(more); \
        return opened(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < FILES) is_camera[fd] = 0;
    if (fd == streams) streams = -1;
    return real(fd);
}

static int refused(int why) {
    errno = why;
    return -1;
}

static int format(struct v4l2_format *asked) {
    asked->fmt.pix = (struct v4l2_pix_format){.width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_YUYV,
        .field = V4L2_FIELD_NONE, .bytesperline = 2 * WIDTH, .sizeimage = FRAME, .colorspace = V4L2_COLORSPACE_SRGB};
    return 0;
}

static int buffer(struct v4l2_buffer *asked, unsigned index) {
    *asked = (struct v4l2_buffer){.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP,
        .bytesused = FRAME, .length = FRAME, .field = V4L2_FIELD_NONE, .m.offset = index * PLACE};
    return 0;
}

static int request(int fd, struct v4l2_requestbuffers *asked) {
    struct stat file;
    if (streams >= 0 && streams != fd) return refused(EBUSY);
    fstat(fd, &file);
    buffers = file.st_size / PLACE < BUFFERS ? file.st_size / PLACE : BUFFERS;
    if (asked->count < buffers) buffers = asked->count;
    asked->count = buffers;
    streams = buffers ? fd : -1;
    first = last = 0;
    return 0;
}

static int answered(int fd, unsigned long what, void *asked) {
    switch (what) {
    case VIDIOC_QUERYCAP:
        *(struct v4l2_capability *)asked = (struct v4l2_capability){.driver = "drawn", .card = "drawn",
            .capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING};
        return 0;
    case VIDIOC_G_FMT: return format(asked);
    case VIDIOC_S_FMT: return streams >= 0 && streams != fd ? refused(EBUSY) : format(asked);
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM:
        ((struct v4l2_streamparm *)asked)->parm.capture.timeperframe = (struct v4l2_fract){1, RATE};
        ((struct v4l2_streamparm *)asked)->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        return 0;
    case VIDIOC_REQBUFS: return request(fd, asked);
    case VIDIOC_QUERYBUF: return buffer(asked, ((struct v4l2_buffer *)asked)->index);
    case VIDIOC_QBUF: filled[last++ % BUFFERS] = ((struct v4l2_buffer *)asked)->index; return 0;
    case VIDIOC_DQBUF: return first == last ? refused(EAGAIN) : buffer(asked, filled[first++ % BUFFERS]);
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF: return 0;
    default: return refused(EINVAL);
    }
}

int ioctl(int fd, unsigned long what, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list more;
    va_start(more, what);
    void *asked = va_arg(more, void *);
    va_end(more);
    if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    return fd >= 0 && fd < FILES && is_camera[fd] ? answered(fd, what, asked) : real(fd, what, asked);
}
