import QuietEnvironment from '../support/quiet-environment.mjs';

/** Marks each failure that comes from an assertion, because only such a failure shows that a test has found a fault. */
export default class SabotageEnvironment extends QuietEnvironment {
  handleTestEvent(event) {
    // a hook before the test asserts that the test can begin, which says nothing about its promise
    const isOfTest =
      event.name === 'test_fn_failure' || (event.name === 'hook_failure' && event.hook.type === 'afterEach');
    if (isOfTest && isAssertion(event.error)) event.error.isAssertion = true;
    super.handleTestEvent(event);
  }
}

/** `expect` and `node:assert` throw such an error; fast-check throws another one, whose cause it is. */
function isAssertion(error) {
  const { matcherResult, code, cause } = Object(error);
  return matcherResult !== undefined || code === 'ERR_ASSERTION' || (cause !== undefined && isAssertion(cause));
}
