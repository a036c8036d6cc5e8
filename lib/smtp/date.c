/* smtp/date - see date.h. */
#include "smtp/date.h"

#include "base/ascii.h"

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

struct parts {
    const char *day_name, *month_name;
    int month; /* from 1 */
    int day, hour, minute, second;
    long long year;
};

static struct parts take_apart(int64_t unix_time_s, int offset_minutes)
{
    static const char day_names[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t local = unix_time_s + (int64_t)offset_minutes * 60;
    if (local < 0)
        local = 0; /* a clock before 1970 is wrong in any case */
    const int64_t days = local / SECONDS_PER_DAY;
    const int64_t second = local % SECONDS_PER_DAY;

    /* Count years from 1 March of year 0, so that the leap day comes last. */
    const int64_t shifted = days + 719468;
    const int64_t era = shifted / DAYS_PER_ERA;
    const int64_t day_of_era = shifted % DAYS_PER_ERA;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (DAYS_PER_ERA - 1)) /
        365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_from_march = (5 * day_of_year + 2) / 153;
    const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    const int64_t month = (month_from_march + 2) % 12; /* 0 is January */
    const int64_t year = era * YEARS_PER_ERA + year_of_era + (month < 2 ? 1 : 0);

    return (struct parts){.day_name = day_names[days % 7],
                          .month_name = month_names[month],
                          .month = (int)month + 1,
                          .day = (int)day,
                          .hour = (int)(second / 3600),
                          .minute = (int)(second / 60 % 60),
                          .second = (int)(second % 60),
                          .year = (long long)year};
}

void smtp_date_append(struct buffer *output, int64_t unix_time_s, int offset_minutes,
                      struct span zone_name)
{
    const struct parts parts = take_apart(unix_time_s, offset_minutes);
    const int absolute = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    buffer_append_format(output, "%s, %d %s %lld %02d:%02d:%02d %c%02d%02d", parts.day_name,
                         parts.day, parts.month_name, parts.year, parts.hour, parts.minute,
                         parts.second, offset_minutes < 0 ? '-' : '+', absolute / 60 % 100,
                         absolute % 60);
    if (zone_name.length) {
        buffer_append_string(output, " (");
        buffer_append_span(output, zone_name);
        buffer_append_byte(output, ')');
    }
}

void smtp_date_append_mbox(struct buffer *output, int64_t unix_time_s, int offset_minutes)
{
    const struct parts parts = take_apart(unix_time_s, offset_minutes);
    buffer_append_format(output, "%s %s %2d %02d:%02d:%02d %lld", parts.day_name, parts.month_name,
                         parts.day, parts.hour, parts.minute, parts.second, parts.year);
}

void smtp_timestamp_append(struct buffer *output, int64_t unix_time_s)
{
    const struct parts parts = take_apart(unix_time_s, 0);
    buffer_append_format(output, "%04lld-%02d-%02dT%02d:%02d:%02dZ", parts.year, parts.month,
                         parts.day, parts.hour, parts.minute, parts.second);
}

/* So many digits at an offset; -1: something else is there. */
static int digits_at(struct span text, size_t offset, size_t count)
{
    int number = 0;
    for (size_t i = offset; i < offset + count; i++) {
        if (i >= text.length || !ascii_is_digit(text.bytes[i]))
            return -1;
        number = number * 10 + (text.bytes[i] - '0');
    }
    return number;
}

static bool is_leap_year(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_before(int year, int month, int day)
{
    static const int days_before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const int64_t past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 + days_before_month[month - 1] +
           (month > 2 && is_leap_year(year)) + day - 1 - 719162; /* from 0001-01-01 to 1970 */
}

static bool is_date(int year, int month, int day)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (month == 2 && is_leap_year(year));
}

/* What follows the seconds: perhaps a fraction, and "Z". */
static bool is_tail(struct span tail)
{
    size_t end = 0;
    if (tail.length && tail.bytes[0] == '.') {
        end = 1;
        while (end < tail.length && ascii_is_digit(tail.bytes[end]))
            end++;
        if (end == 1)
            return false;
    }
    return tail.length == end + 1 && ascii_to_lower(tail.bytes[end]) == 'z';
}

enum parse_result smtp_timestamp_parse(struct span text, int64_t *unix_time_s)
{
    enum { SECONDS_END = 19, TEXT_MAX_BYTES = 40 };
    static const char pattern[] = "0000-00-00t00:00:00";
    const int year = digits_at(text, 0, 4), month = digits_at(text, 5, 2),
              day = digits_at(text, 8, 2), hour = digits_at(text, 11, 2),
              minute = digits_at(text, 14, 2), second = digits_at(text, 17, 2);
    if (text.length > TEXT_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (text.length <= SECONDS_END)
        return PARSE_MALFORMED;
    for (size_t i = 0; i < SECONDS_END; i++)
        if (pattern[i] != '0' && ascii_to_lower(text.bytes[i]) != (uint8_t)pattern[i])
            return PARSE_MALFORMED;
    /* RFC 3339 section 5.7: a minute may have a leap second. */
    if (!is_date(year, month, day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60 || !is_tail(span_after(text, SECONDS_END)))
        return PARSE_MALFORMED;
    *unix_time_s =
        days_before(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return PARSE_OK;
}
