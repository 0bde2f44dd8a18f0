/*
 * printf-style formatting into a buffer: vsnprintf() and snprintf() of the kernel.
 *
 * A conversion is parsed into a struct spec first and carried out then, so that each of the two
 * steps can be read alone. Output goes to a struct sink that counts every character and stores
 * those that fit: the return value is the length of the whole text, as the standard wants it, and
 * padding costs nothing past the end of the buffer.
 *
 * What differs from the C library: no floating point, no %n, no %ls. A NULL for %s prints
 * "(null)". A conversion that is not known is copied as it stands, and its argument is not
 * consumed. Nothing here allocates, locks or keeps state: any context.
 *
 * Source: ISO C11, 7.21.6.1.
 */
#include <base/format.h>
#include <base/string.h>

#define FORMAT_INT_MAX   0x7fffffff
#define MAX_NUMBER_CHARS 24 /* 2^64 in octal has 22 digits */

enum length { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG, LENGTH_LONG_LONG };

struct spec {
	bool left, zero, plus, space, alternate;
	int width;
	int precision; /* -1: none given */
	enum length length;
	char conversion; /* 0: the format ended inside the conversion */
};

struct sink {
	char *buf;
	size_t size;
	size_t len; /* of the whole text, stored or not */
};

/* va_list may be an array type: inside a struct it can be passed by address anywhere. */
struct arguments {
	va_list list;
};

static void put(struct sink *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len] = c;
	out->len++;
}

static void put_bytes(struct sink *out, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(out, bytes[i]);
}

/* Stores what fits and counts the rest: a width of a billion takes no time. */
static void put_repeated(struct sink *out, char c, size_t n)
{
	size_t room = out->len + 1 < out->size ? out->size - 1 - out->len : 0;
	size_t stored = MIN(n, room);

	for (size_t i = 0; i < stored; i++)
		put(out, c);
	out->len += n - stored;
}

static const char *parse_int(const char *fmt, int *value)
{
	u64 n = 0;

	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		n = MIN(n * 10 + (u64)(*fmt - '0'), (u64)FORMAT_INT_MAX);
	*value = (int)n;
	return fmt;
}

static const char *parse_flags(const char *fmt, struct spec *spec)
{
	for (;; fmt++) {
		switch (*fmt) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		default:
			return fmt;
		}
	}
}

static const char *parse_width(const char *fmt, struct spec *spec, struct arguments *args)
{
	if (*fmt != '*')
		return parse_int(fmt, &spec->width);

	spec->width = va_arg(args->list, int);
	if (spec->width < 0) {
		spec->left = true;
		/* The most negative int has no positive counterpart. */
		spec->width = spec->width < -FORMAT_INT_MAX ? FORMAT_INT_MAX : -spec->width;
	}
	return fmt + 1;
}

static const char *parse_precision(const char *fmt, struct spec *spec, struct arguments *args)
{
	spec->precision = -1;
	if (*fmt != '.')
		return fmt;
	fmt++;
	if (*fmt != '*')
		return parse_int(fmt, &spec->precision);

	spec->precision = va_arg(args->list, int);
	if (spec->precision < 0)
		spec->precision = -1;
	return fmt + 1;
}

/* On this machine long, long long, size_t, intmax_t and ptrdiff_t are all 64 bits. */
static const char *parse_length(const char *fmt, struct spec *spec)
{
	switch (*fmt) {
	case 'h':
		spec->length = fmt[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
		return fmt + (fmt[1] == 'h' ? 2 : 1);
	case 'l':
		spec->length = fmt[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
		return fmt + (fmt[1] == 'l' ? 2 : 1);
	case 'z':
	case 'j':
	case 't':
		spec->length = LENGTH_LONG;
		return fmt + 1;
	default:
		spec->length = LENGTH_INT;
		return fmt;
	}
}

/* `fmt` is behind the '%'. Returns what is behind the conversion. */
static const char *parse_spec(const char *fmt, struct spec *spec, struct arguments *args)
{
	*spec = (struct spec){.precision = -1};
	fmt = parse_flags(fmt, spec);
	fmt = parse_width(fmt, spec, args);
	fmt = parse_precision(fmt, spec, args);
	fmt = parse_length(fmt, spec);
	spec->conversion = *fmt;
	return *fmt ? fmt + 1 : fmt;
}

static s64 signed_argument(const struct spec *spec, struct arguments *args)
{
	switch (spec->length) {
	case LENGTH_CHAR:
		return (signed char)va_arg(args->list, int);
	case LENGTH_SHORT:
		return (short)va_arg(args->list, int);
	case LENGTH_LONG:
		return va_arg(args->list, long);
	case LENGTH_LONG_LONG:
		return va_arg(args->list, long long);
	default:
		return va_arg(args->list, int);
	}
}

static u64 unsigned_argument(const struct spec *spec, struct arguments *args)
{
	switch (spec->length) {
	case LENGTH_CHAR:
		return (unsigned char)va_arg(args->list, unsigned int);
	case LENGTH_SHORT:
		return (unsigned short)va_arg(args->list, unsigned int);
	case LENGTH_LONG:
		return va_arg(args->list, unsigned long);
	case LENGTH_LONG_LONG:
		return va_arg(args->list, unsigned long long);
	default:
		return va_arg(args->list, unsigned int);
	}
}

/* Writes the digits so that they end at `end`; returns where they start. Zero has none. */
static char *digits(char *end, u64 value, unsigned int base, bool upper)
{
	const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	for (; value != 0; value /= base)
		*--end = alphabet[value % base];
	return end;
}

/* [padding] prefix [zeros] digits [padding]: every number is this, with a sign or 0x as prefix. */
static void put_number(struct sink *out, const struct spec *spec, const char *prefix, u64 value,
		       unsigned int base)
{
	char text[MAX_NUMBER_CHARS];
	char *end = text + sizeof(text);
	char *start = digits(end, value, base, spec->conversion == 'X');
	size_t nr_digits = (size_t)(end - start), prefix_len = strlen(prefix);
	size_t least = spec->precision < 0 ? 1 : (size_t)spec->precision;
	size_t width = (size_t)spec->width, zeros, len;

	if (base == 8 && spec->alternate)
		least = MAX(least, nr_digits + 1);
	zeros = least > nr_digits ? least - nr_digits : 0;
	len = prefix_len + zeros + nr_digits;
	/* A precision says how many digits there are, so the flag '0' has nothing to add. */
	if (spec->zero && !spec->left && spec->precision < 0 && width > len) {
		zeros += width - len;
		len = width;
	}

	if (!spec->left && width > len)
		put_repeated(out, ' ', width - len);
	put_bytes(out, prefix, prefix_len);
	put_repeated(out, '0', zeros);
	put_bytes(out, start, nr_digits);
	if (spec->left && width > len)
		put_repeated(out, ' ', width - len);
}

static void put_signed(struct sink *out, const struct spec *spec, s64 value)
{
	const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

	put_number(out, spec, sign, value < 0 ? -(u64)value : (u64)value, 10);
}

static void put_text(struct sink *out, const struct spec *spec, const char *text, size_t len)
{
	size_t width = (size_t)spec->width;

	if (!spec->left && width > len)
		put_repeated(out, ' ', width - len);
	put_bytes(out, text, len);
	if (spec->left && width > len)
		put_repeated(out, ' ', width - len);
}

static void put_string(struct sink *out, const struct spec *spec, const char *text)
{
	if (!text)
		text = "(null)";
	/* With a precision the text need not end with NUL. */
	put_text(out, spec, text,
		 spec->precision < 0 ? strlen(text) : strnlen(text, (size_t)spec->precision));
}

/* False: not a conversion that this file knows. */
static bool convert(struct sink *out, const struct spec *spec, struct arguments *args)
{
	u64 value;
	char c;

	switch (spec->conversion) {
	case 'd':
	case 'i':
		put_signed(out, spec, signed_argument(spec, args));
		return true;
	case 'u':
		put_number(out, spec, "", unsigned_argument(spec, args), 10);
		return true;
	case 'o':
		put_number(out, spec, "", unsigned_argument(spec, args), 8);
		return true;
	case 'x':
	case 'X':
		value = unsigned_argument(spec, args);
		put_number(out, spec,
			   !spec->alternate || value == 0 ? ""
			   : spec->conversion == 'x'      ? "0x"
							  : "0X",
			   value, 16);
		return true;
	case 'p':
		put_number(out, spec, "0x", (uintptr_t)va_arg(args->list, void *), 16);
		return true;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_text(out, spec, &c, 1);
		return true;
	case 's':
		put_string(out, spec, va_arg(args->list, const char *));
		return true;
	case '%':
		put(out, '%');
		return true;
	default:
		return false;
	}
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct sink out = {.buf = buf, .size = size};
	struct arguments copy;
	struct spec spec;

	va_copy(copy.list, args);
	while (*fmt) {
		const char *start = fmt;

		if (*fmt != '%') {
			put(&out, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &spec, &copy);
		if (!convert(&out, &spec, &copy))
			put_bytes(&out, start, (size_t)(fmt - start));
	}
	va_end(copy.list);

	if (size > 0)
		buf[MIN(out.len, size - 1)] = '\0';
	return (int)MIN(out.len, (size_t)FORMAT_INT_MAX);
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}
