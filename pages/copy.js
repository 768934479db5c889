// The pages whose only script are the buttons that copy.
import { addCopyButtons } from './page.js';

addCopyButtons();
