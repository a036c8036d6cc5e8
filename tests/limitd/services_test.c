/* tests/limitd/services - the load of a service is that of all its processes. */
#include "../test.h"

#include "../../limitd/services.h"

static void test_stress_of_two_processes(void **state)
{
    (void)state;
    struct services services;
    struct service_member first, second, other;
    struct service_load *changed;
    services_init(&services);
    assert_true(services_join(&services, SPAN("smtp"), &first));
    assert_true(services_join(&services, SPAN("smtp"), &second));
    assert_true(services_join(&services, SPAN("submission"), &other));
    assert_ptr_equal(first.service, second.service);
    assert_ptr_not_equal(first.service, other.service);
    assert_false(services_report(&first, 0, 10));
    assert_false(services_report(&second, 0, 10));
    /* One is full, and the other has room. */
    assert_false(services_report(&first, 10, 10));
    assert_false(services_report(&second, 7, 10));
    assert_true(services_report(&second, 8, 10));
    assert_true(first.service->is_stressed);
    assert_false(other.service->is_stressed);
    assert_false(services_report(&second, 9, 10)); /* no news */
    assert_false(first.service->is_full);
    assert_true(services_report(&second, 10, 10));
    assert_true(first.service->is_full);
    assert_true(services_report(&second, 9, 10));
    assert_false(first.service->is_full);
    assert_false(services_report(&second, 4, 10));
    assert_true(services_report(&second, 3, 10));
    assert_false(first.service->is_stressed);
    /* The one with room dies: what is left is full. */
    services_part(&services, &second, &changed);
    assert_ptr_equal(changed, first.service);
    assert_true(first.service->is_stressed);
    /* It drains, and takes no part any more. */
    assert_true(services_report(&first, 0, 0));
    services_part(&services, &first, &changed);
    assert_null(changed);
    services_part(&services, &other, &changed);
    assert_null(changed);
    assert_true(list_is_empty(&services.list));
}

static void test_the_last_one_of_a_busy_service(void **state)
{
    (void)state;
    struct services services;
    struct service_member only;
    struct service_load *changed;
    services_init(&services);
    assert_true(services_join(&services, SPAN("smtp"), &only));
    assert_true(services_report(&only, 10, 10));
    services_part(&services, &only, &changed);
    assert_null(changed); /* there is nobody to hear it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress_of_two_processes),
        cmocka_unit_test(test_the_last_one_of_a_busy_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
