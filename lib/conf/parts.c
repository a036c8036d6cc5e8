/* conf/parts - the catalogue's tables, one per program, and finding rows in them. */
#include "config.h"

#include "conf/expand.h"
#include "conf/addrd.h"
#include "conf/authd.h"
#include "conf/bounce.h"
#include "conf/connectd.h"
#include "conf/discard.h"
#include "conf/dnsd.h"
#include "conf/error.h"
#include "conf/fetchd.h"
#include "conf/keyd.h"
#include "conf/limitd.h"
#include "conf/lmtp.h"
#include "conf/local.h"
#include "conf/logd.h"
#include "conf/master.h"
#include "conf/pickup.h"
#include "conf/pipe.h"
#include "conf/qmgr.h"
#include "conf/reportd.h"
#include "conf/smtp.h"
#include "conf/smtpd.h"
#include "conf/stsd.h"
#include "conf/submitd.h"
#include "conf/tools.h"
#include "conf/verify.h"
#include "conf/virtual.h"

#define POSTHOUSE_VERSION PACKAGE_VERSION

#define CONF_STRUCT conf_addrd
static const struct conf_parameter parameters_of_addrd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/addrd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_authd
static const struct conf_parameter parameters_of_authd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/authd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_bounce
static const struct conf_parameter parameters_of_bounce[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/bounce.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_connectd
static const struct conf_parameter parameters_of_connectd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/connectd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_discard
static const struct conf_parameter parameters_of_discard[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/discard.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_dnsd
static const struct conf_parameter parameters_of_dnsd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/dnsd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_error_settings
static const struct conf_parameter parameters_of_error[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/error.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_fetchd
static const struct conf_parameter parameters_of_fetchd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/fetchd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_keyd
static const struct conf_parameter parameters_of_keyd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/keyd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_limitd
static const struct conf_parameter parameters_of_limitd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/limitd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_lmtp
static const struct conf_parameter parameters_of_lmtp[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/lmtp.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_local
static const struct conf_parameter parameters_of_local[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/local.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_logd
static const struct conf_parameter parameters_of_logd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/logd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_master_settings
static const struct conf_parameter parameters_of_master[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/master.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_pipe
static const struct conf_parameter parameters_of_pipe[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/pipe.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_pickup
static const struct conf_parameter parameters_of_pickup[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/pickup.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_qmgr
static const struct conf_parameter parameters_of_qmgr[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/qmgr.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_reportd
static const struct conf_parameter parameters_of_reportd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/reportd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_smtp
static const struct conf_parameter parameters_of_smtp[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/smtp.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_smtpd
static const struct conf_parameter parameters_of_smtpd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/smtpd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_stsd
static const struct conf_parameter parameters_of_stsd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/stsd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

/* What smtpd has, and more: the structure begins with smtpd's. */
#define CONF_STRUCT conf_smtpd
static const struct conf_parameter parameters_of_submitd[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/smtpd.def"
#undef CONF_STRUCT
#define CONF_STRUCT conf_submitd
#include "conf/catalogue/submitd.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_tools
static const struct conf_parameter parameters_of_tools[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/tools.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_verify
static const struct conf_parameter parameters_of_verify[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/verify.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define CONF_STRUCT conf_virtual
static const struct conf_parameter parameters_of_virtual[] = {
#include "conf/catalogue/rows.h"
#include "conf/catalogue/virtual.def"
#include "conf/catalogue/end.h"
};
#undef CONF_STRUCT

#define PART_OF(part_name, settings)                                                               \
    const struct conf_part conf_part_##part_name = {#part_name, sizeof(struct settings),           \
                                                    parameters_of_##part_name,                     \
                                                    ARRAY_LENGTH(parameters_of_##part_name)};
#define PART(part_name) PART_OF(part_name, conf_##part_name)
PART(addrd)
PART(authd)
PART(bounce)
PART(connectd)
PART(discard)
PART(dnsd)
PART_OF(error, conf_error_settings) /* struct conf_error is a mistake */
PART(fetchd)
PART(keyd)
PART(limitd)
PART(lmtp)
PART(local)
PART(logd)
PART_OF(master, conf_master_settings) /* struct conf_master is master.cf */
PART(pickup)
PART(pipe)
PART(qmgr)
PART(reportd)
PART(smtp)
PART(smtpd)
PART(stsd)
PART(submitd)
PART(tools)
PART(verify)
PART(virtual)

/* clang-format off */
const struct conf_part *const conf_parts[] = {
    &conf_part_addrd,
    &conf_part_authd,
    &conf_part_bounce,
    &conf_part_connectd,
    &conf_part_discard,
    &conf_part_dnsd,
    &conf_part_error,
    &conf_part_fetchd,
    &conf_part_keyd,
    &conf_part_limitd,
    &conf_part_lmtp,
    &conf_part_local,
    &conf_part_logd,
    &conf_part_master,
    &conf_part_pickup,
    &conf_part_pipe,
    &conf_part_qmgr,
    &conf_part_reportd,
    &conf_part_smtp,
    &conf_part_smtpd,
    &conf_part_stsd,
    &conf_part_submitd,
    &conf_part_tools,
    &conf_part_verify,
    &conf_part_virtual,
};
/* clang-format on */
const size_t conf_part_count = ARRAY_LENGTH(conf_parts);

const struct conf_part *conf_part_find(struct span program)
{
    for (size_t i = 0; i < conf_part_count; i++)
        if (span_equals(program, span_from_string(conf_parts[i]->name)))
            return conf_parts[i];
    return NULL;
}

static struct span row_name(const struct conf_parameter *parameter)
{
    return span_of(parameter->name, parameter->name_length);
}

/* Is the name "TRANSPORT_suffix" of this row? */
static bool is_in_family(const struct conf_parameter *parameter, struct span name,
                         struct span *transport)
{
    const struct span suffix = row_name(parameter);
    if (name.length < suffix.length + 2 || !span_ends_with(name, suffix) ||
        name.bytes[name.length - suffix.length - 1] != '_')
        return false;
    *transport = span_first(name, name.length - suffix.length - 1);
    return true;
}

const struct conf_parameter *conf_parameter_find(struct span name, struct span *transport)
{
    const struct conf_parameter *found = NULL;

    *transport = span_empty();
    for (size_t i = 0; i < conf_part_count; i++) {
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++) {
            const struct conf_parameter *parameter = &conf_parts[i]->parameters[row];
            struct span prefix;
            if (parameter->family == CONF_FAMILY_NONE) {
                if (span_equals(name, row_name(parameter))) {
                    *transport = span_empty();
                    return parameter; /* a name of its own comes before a family */
                }
            } else if (is_in_family(parameter, name, &prefix)) {
                const bool is_member = parameter->family == CONF_FAMILY_MEMBER;
                if (is_member && !span_equals(prefix, span_from_string(parameter->transport)))
                    continue;
                /* the longest suffix: a_destination_recipient_limit is no a_destination's
                 * recipient_limit; then the transport's own default */
                if (!found || prefix.length < transport->length ||
                    (is_member && prefix.length == transport->length)) {
                    found = parameter;
                    *transport = prefix;
                }
            }
        }
    }
    return found;
}

bool conf_is_raw(struct span name)
{
    struct span transport;
    const struct conf_parameter *parameter = conf_parameter_find(name, &transport);
    return parameter && parameter->content == CONF_CONTENT_RAW;
}

const struct conf_parameter *conf_parameter_for_value(struct span name)
{
    struct span transport;
    const struct conf_parameter *found = conf_parameter_find(name, &transport);

    if (!found || found->family != CONF_FAMILY_MEMBER)
        return found;
    for (size_t i = 0; i < conf_part_count; i++)
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++)
            if (conf_parts[i]->parameters[row].family == CONF_FAMILY_SUFFIX &&
                strcmp(conf_parts[i]->parameters[row].name, found->name) == 0)
                return &conf_parts[i]->parameters[row];
    return NULL;
}

int64_t conf_family_get(const struct conf_family *family, struct span transport)
{
    for (size_t i = 0; i < family->value_count; i++)
        if (span_equals(family->values[i].transport, transport))
            return family->values[i].value;
    return family->otherwise;
}
