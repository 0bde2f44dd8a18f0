/* Error numbers, with Linux's values: functions that set things up return them negated. */
#ifndef BASE_ERRNO_H
#define BASE_ERRNO_H

#define ENOENT    2
#define EIO       5
#define E2BIG     7
#define EAGAIN    11
#define ENOMEM    12
#define EBUSY     16
#define EEXIST    17
#define ENODEV    19
#define EINVAL    22
#define ENOSPC    28
#define ERANGE    34
#define EILSEQ    84
#define ETIMEDOUT 110

#endif
