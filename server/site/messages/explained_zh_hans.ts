/** “会话详解”, in Simplified Chinese. */
import type { ExplainedMessages } from './explained_en.js';

export const EXPLAINED_ZH_HANS: ExplainedMessages = {
  title: '会话详解',
  intro: '十二个短页。每句话旁边都有一个按钮，按下去就对您自己的会话真做一遍，并显示发生了什么。',
  to_lab: '去实验室',
  chapter: (number, count) => `第 ${number} 页，共 ${count} 页`,
  previous: '上一页：',
  next: '下一页：',
  effect: '发生了什么',
  typed: '图片中的字符',
  more: '在实验室里看这一步的全部细节',
  chapters: {
    what: {
      title: '会话是什么',
      claims: {
        dictionary: {
          text: '会话是服务器为一个浏览器保存的一个小字典，从一个请求保留到下一个请求。',
          press: '放一个 theme 进去',
        },
        again: { text: '下一个请求又能找到它。', press: '查询 theme' },
        key: { text: '浏览器里没有它的内容，只有一个键，放在 Cookie 里。', press: '看看 Cookie' },
        end: { text: '会话结束时两边都消失：行被删除，浏览器也被告知忘掉键。', press: '结束会话' },
      },
    },
    http: {
      title: 'HTTP 没有记忆',
      claims: {
        alone: {
          text: '每个请求都是独立的。服务器对您的全部了解，就是这一个请求带来的东西。',
          press: '发送一个请求',
        },
        without: {
          text: '没有 Cookie，浏览器就是陌生人，尽管那一行还在。',
          press: '删除 Cookie，保留行',
        },
        stranger: { text: '一旦有东西要记住，陌生人就得到新的一行和新的键。', press: '记住一点东西' },
      },
    },
    cookies: {
      title: 'Cookie',
      claims: {
        set: { text: '服务器用回答中的一个头来设置 Cookie：Set-Cookie。', press: '把 colour 设为 blue' },
        back: { text: '从此浏览器在每个请求里都把它送回来，不用再问。', press: '读取它' },
        delete: { text: '要删除它，服务器就再设置一次，结束时间写成过去。', press: '删除它' },
      },
    },
    headers: {
      title: 'Set-Cookie 里写了什么',
      claims: {
        max_age: { text: 'Max-Age：浏览器保留它多少秒。没有它，就到浏览器关闭为止。', press: '设置一个保留一分钟的' },
        httponly: { text: 'HttpOnly：脚本读不到它，别人偷塞进页面的脚本也读不到。', press: '设置一个带 HttpOnly 的' },
        samesite: {
          text: 'SameSite：从别的网站过来时是否带上它。Lax：点链接时带，用 POST 提交表单时不带。',
          press: '设置一个带 SameSite 的',
        },
        path: { text: 'Path 和 Domain：送给本主机的哪些地址，送给哪些主机。', press: '设置一个只给 /lab/ 的' },
        secure: { text: 'Secure：只通过 https 发送，路上没有人能读到。', press: '设置一个带 Secure 的' },
      },
    },
    limits: {
      title: '上限与覆盖',
      claims: {
        large: {
          text: '一个 Cookie 最多 4096 字节。更大的会被浏览器悄悄丢掉；本服务器则拒绝发送。',
          press: '设置一个 4200 个字母的',
        },
        overwrite: { text: '名称、路径、域名都相同：新的取代旧的。', press: '为 /lab/ 把 colour 设为 green' },
        twice: { text: '路径不同，就是另一个同名的 Cookie，浏览器两个都送。', press: '为 / 把 colour 设为 red' },
        which: {
          text: '同名的两个当中，Django 和本服务器取最后一个，也就是路径较短的那个。',
          press: '读取 colour',
        },
      },
    },
    browsers: {
      title: '这个浏览器和那个浏览器',
      claims: {
        jar: {
          text: '每个浏览器都有自己的 Cookie，隐私窗口也是。一个人用两个浏览器，就是两个会话。',
          press: '让另一个浏览器来',
        },
        tabs: {
          text: '同一个浏览器的标签页共用 Cookie，所以共用一个会话。在这里，两个同时写也不会丢失什么。',
          press: '从两个标签页写',
        },
        stolen: { text: '谁送来这个键，谁就是您。所以它很长，是随机抽取的，登录时还会更换。', press: '更换键' },
      },
    },
    signed: {
      title: '签名的 Cookie',
      claims: {
        sign: {
          text: '放在浏览器里的东西可以在那里被改掉。签名的 Cookie 带着时间和只有服务器才能算出的签名。',
          press: '给 visits = 3 签名',
        },
        read: { text: '签名不等于保密：谁都能读到那个 3。服务器还会检查它。', press: '读取并检查' },
        forge: { text: '签名只对这段文字有效。', press: '改掉其中一个字母' },
        found: { text: '被改过的 Cookie 会被识破。', press: '再读取并检查一次' },
      },
    },
    sessions: {
      title: '数据库里的会话',
      claims: {
        row: {
          text: '字典保存在 django_session 表的一行里：一个键、一段签名的文本、一个结束时间。',
          press: '把“上海”放进去',
        },
        look: { text: '只是看看，不会引起写入，也不会收到 Cookie。', press: '看看' },
        list: { text: '值可以是 JSON 能表示的任何东西。', press: '放一个列表进去' },
        inside: { text: '值内部的改动不会被察觉：什么也没有保存。', press: '在列表里追加' },
        told: { text: '说明会话被改过，它就会被保存。', press: '追加，并写上 modified = true' },
        interrupted: { text: '另一个请求还在写的时候就结束的会话，不会再回来。', press: '同时结束和写入' },
      },
    },
    expiry: {
      title: '会话何时结束',
      claims: {
        usual: { text: '通常是最后一次改动之后两周（SESSION_COOKIE_AGE）。', press: '是多少秒？' },
        seconds: { text: '或者最后一次改动之后若干秒。', press: '五分钟' },
        browser: {
          text: '或者随浏览器结束：这时 Cookie 没有 Max-Age，行保留两周。',
          press: '到浏览器关闭为止',
        },
        date: { text: '或者在某个时刻。', press: '2040 年 1 月 1 日' },
        none: { text: '或者重新按设置来。', press: '回到设置' },
        swept: { text: '过期的行不再算数，但一直躺在那里，直到有人清扫。', press: '留下一行，再清扫' },
      },
    },
    login: {
      title: '登录',
      claims: {
        in: {
          text: '登录把用户的编号写进会话，并给会话换上新键：知道旧键的人什么也得不到。',
          press: '以 alice 登录',
        },
        hash: { text: '同时写入一个取决于密码的散列：换了密码，其他会话全部结束。', press: '看看会话里有什么' },
        out: { text: '退出登录会删除那一行，以及其中的一切。', press: '退出登录' },
        elsewhere: { text: '标签页共用一行，所以在其中一个退出，就在所有标签页退出。', press: '在另一个标签页退出' },
      },
    },
    captcha: {
      title: '验证码',
      claims: {
        draw: {
          text: '验证码问的是程序难以回答的问题。答案留在服务器上：在会话里，是一个带密钥的散列。',
          press: '画一张',
        },
        answer: { text: '不论对错，回答一次就用掉了。', press: '回答' },
        form: {
          text: '它只能让程序慢下来，挡不住所有程序。真正保护密码的，是对失败次数的计数。',
          press: '到登录表单看看',
        },
      },
    },
    question: {
      title: '那个问题',
      claims: {
        first: {
          text: '第二个人用同一个浏览器登录时，表里会发生什么？先让第一个人登录。',
          press: '以 alice 登录',
        },
        data: { text: '这个人在会话里留下一点东西。', press: '把 milk 放进购物车' },
        second: {
          text: '然后是第二个人：第一个人的那一行连同其中的一切都被删除，并产生新的一行和新的键。没有哪一行会同时保存两个人的数据。',
          press: '以 bob 登录',
        },
        form: { text: '用真正的登录表单也是一样。', press: '去“再次登录”' },
      },
    },
  },
};
