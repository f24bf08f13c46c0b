// The way in: the token stands behind the # of the link, where no server sees it. It is taken out
// of the address first, so that neither history nor a copied link keeps it, then sent once.

const token = location.hash.slice(1);
const form = document.getElementById("enter");
if (token && form) {
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = token;
  form.requestSubmit();
}
