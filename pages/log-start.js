// Loads the script of the live log page before the page is painted, so that no line moves when it gets its
// time. WebKit does not run a module that blocks painting before its page is loaded, which this one never is.
'use strict';

(() => {
  const script = document.createElement('script');
  script.type = 'module';
  script.src = new URL('log.js', document.currentScript.src);
  if (!navigator.vendor.startsWith('Apple')) script.setAttribute('blocking', 'render');
  document.head.append(script);
})();
