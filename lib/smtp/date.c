/* smtp/date - see date.h. */
#include "smtp/date.h"

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

struct parts {
    const char *day_name, *month_name;
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
